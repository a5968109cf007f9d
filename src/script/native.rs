//! Registration of native functions with their documentation.

use rhai::{FuncRegistration, Module};

/// Adds native functions to a module, each with documentation, a signature in script types, and code.
///
/// ```ignore
/// native! { module =>
///     /// The costs of a network on a configuration.
///     ///
///     /// ```rhai
///     /// chaidnn::estimate(net, hw).latency_ms // => 41.9
///     /// ```
///     fn estimate(net: Network, configuration: ChaidnnConfiguration) -> ChaidnnEstimate = estimate;
///     /// The latency of a batch in ms.
///     get latency_ms(estimate: ChaidnnEstimate) -> float = |it: &mut Estimate| it.latency_ms;
/// }
/// ```
///
/// `fn` is a function of the module, or a global function and method where the module is a global one; `get`
/// is a property, `index` gives `value[key]`, `op` an operator. Types are those of editor definitions: `int`,
/// `float`, `bool`, `String`, `Array`, `Map`, `FnPtr`, `Dynamic` for anything, and the names under which
/// types are registered.
///
/// Documentation is shown in three places: `tandem definitions`, docs/script-api.md, and the suggestions of
/// messages. Editors show one function at a time, so each comment, in Markdown, stands alone. Options are a
/// table of `option`, `default`, perhaps `range`, and `what` (a test checks the defaults); the example comes
/// last.
///
/// Every function has an example, a block of Rhai, that a test runs:
///
/// - Statements run one after another. The text behind `// =>` is the value of the statement that ends there,
///   as `print` shows it; a float may be rounded to the digits of the text.
/// - A block with a function of the contract (`space`, `evaluate`, ...) and no `// =>` is an experiment. A
///   missing `space`, `evaluate` or `reward` is added; the experiment runs for a few trials, none of which
///   may fail, and `summary`, `sweep` and `training` are called.
macro_rules! native {
    ($module:expr => $(
        $(#[doc = $doc:literal])*
        $kind:ident $name:tt ( $($argument:ident : $type:ident),* $(,)? ) -> $result:ident = $function:expr;
    )+) => {$(
        $crate::script::native::registration(
            stringify!($kind),
            stringify!($name),
            &[$($doc),*],
            &[$(concat!(stringify!($argument), ": ", stringify!($type))),*],
            stringify!($result),
        )
        .set_into_module($module, $function);
    )+};
}
pub(super) use native;

/// Returns the registration of a function, without its implementation; called by [`native`].
pub(super) fn registration(
    kind: &str,
    name: &str,
    docs: &[&str],
    parameters: &[&str],
    result: &str,
) -> FuncRegistration {
    let registration = match kind {
        "get" => FuncRegistration::new_getter(name),
        "index" => FuncRegistration::new_index_getter(),
        _ => FuncRegistration::new(name),
    };
    let lines: Vec<String> = docs.iter().map(|line| format!("///{line}")).collect();
    let comments = (!lines.is_empty()).then(|| lines.join("\n"));
    registration
        .with_comments(comments)
        .with_params_info(parameters.iter().copied().chain([result]))
}

/// Names a type and documents it; `module` is a global one.
pub(super) fn name_type<T: 'static>(module: &mut Module, name: &str, doc: &str) {
    module.set_custom_type_with_comments::<T>(name, &[&format!("/// {doc}")]);
}
