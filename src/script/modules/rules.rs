//! The values through which conditions and rules of a part read a combination.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Module, NativeCallContext};

use super::values::{to_dynamic, value_of};
use crate::script::native::{name_type, native};
use crate::script::options::{described, error_at_call};
use crate::script::sandbox::budget::apart;
use crate::space::Value;
use crate::space::params::{Draft, Field, Leaf, MixedError, Rule, RuleError, Trail};
use crate::util::suggest::nearest;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A combination of choices, read by name.
#[derive(Clone)]
struct Combination {
    asked: Asked,
    /// The positions of the names that lead to it.
    path: Vec<usize>,
    /// The number of names that can be read, from the first.
    end: usize,
}

/// A subset within a combination.
#[derive(Clone)]
struct Subset {
    asked: Asked,
    field: usize,
}

/// A permutation within a combination.
#[derive(Clone)]
struct Order {
    asked: Asked,
    field: usize,
}

/// A draft of a part, and the choices that a predicate has read in this call.
#[derive(Clone)]
struct Asked {
    draft: Arc<Draft>,
    trail: Arc<Mutex<Trail>>,
}

impl Asked {
    fn option(&self, choice: usize) -> u16 {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner).option(choice)
    }

    /// Returns the field of a subset or permutation, with its items.
    fn items(&self, field: usize) -> (&Field, &[Value]) {
        let field = &self.draft.fields()[field];
        match field.leaf() {
            Leaf::Subset { items, .. } | Leaf::Permutation { items } => (field, items),
            Leaf::Choice | Leaf::Native { .. } => (field, &[]),
        }
    }

    /// Returns the position of an item among those of a field; an unknown item is an error.
    fn place(&self, context: &NativeCallContext, field: usize, item: &Dynamic) -> Fallible<usize> {
        let (_, items) = self.items(field);
        let given = value_of(item);
        let equal = |known: &Value| given.as_ref().is_some_and(|given| known.is_same(given));
        items.iter().position(equal).ok_or_else(|| {
            let items: Vec<String> = items.iter().map(|item| format!("`{item}`")).collect();
            error_at_call(
                context,
                format!("there is no item `{item}`; the items are {}", items.join(", ")),
            )
        })
    }
}

pub(super) fn register(globals: &mut Module) {
    register_comparisons(globals);
    name_type::<Combination>(
        globals,
        "Combination",
        "What conditions and rules see: the choices before them, by name.",
    );
    name_type::<Subset>(globals, "ChosenItems", "What conditions and rules see of a subset.");
    name_type::<Order>(globals, "ItemOrder", "What conditions and rules see of a permutation.");
    native! { globals =>
        /// What a choice is, as `c.rows` or `c["rows"]`; for a part within the part, what its choices are.
        index choice(combination: Combination, name: String) -> Dynamic = read;
        /// Whether the subset has an item, as does `item in subset`.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     cnn: space::part().subset("ops", ["conv", "pool"]).int("kernel", 1, 7, #{ step: 2 })
        ///         .when(|c| "conv" in c.ops)
        /// } }
        /// ```
        fn contains(items: ChosenItems, item: Dynamic) -> bool =
            |context: NativeCallContext, subset: &mut Subset, item: Dynamic| {
                contains(&context, subset, &item)
            };
        /// How many items the subset has.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     cnn: space::part().subset("ops", ["conv", "pool"]).forbid("nothing", |c| c.ops.len() == 0)
        /// } }
        /// ```
        fn len(items: ChosenItems) -> int = |subset: &mut Subset| {
            let (field, items) = subset.asked.items(subset.field);
            let choices = field.start()..field.start() + items.len();
            choices.map(|choice| i64::from(subset.asked.option(choice))).sum::<i64>()
        };
        /// The item at a place of the order, counted from 0.
        index item(order: ItemOrder, place: int) -> Dynamic =
            |context: NativeCallContext, order: &mut Order, place: i64| item_at(&context, order, place);
        /// The place of an item in the order, counted from 0.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part().permutation("loops", ["row", "column", "channel"])
        ///         .forbid("rows first", |c| c.loops.index_of("row") < c.loops.index_of("column"))
        /// } }
        /// ```
        fn index_of(order: ItemOrder, item: Dynamic) -> int =
            |context: NativeCallContext, order: &mut Order, item: Dynamic| {
                index_of(&context, order, &item)
            };
        /// How many items are in order.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     hw: space::part().permutation("loops", ["row", "column", "channel"])
        ///         .forbid("rows last", |c| c.loops[c.loops.len() - 1] == "row")
        /// } }
        /// ```
        fn len(order: ItemOrder) -> int =
            |order: &mut Order| order.asked.items(order.field).1.len() as i64;
    }
}

/// Registers comparisons with arrays: to the engine, values of two types are never equal.
fn register_comparisons(globals: &mut Module) {
    type C<'a> = NativeCallContext<'a>;
    native! { globals =>
        /// Whether the subset is the items of an array, in the order in which they are listed.
        op ==(items: ChosenItems, array: Dynamic) -> bool =
            |context: C, subset: &mut Subset, array: Dynamic| subset.is(&context, &array);
        /// Whether the subset is another than the items of an array.
        op !=(items: ChosenItems, array: Dynamic) -> bool =
            |context: C, subset: &mut Subset, array: Dynamic| subset.is(&context, &array).map(|is| !is);
        /// Whether the order is that of an array.
        op ==(order: ItemOrder, array: Dynamic) -> bool =
            |context: C, order: &mut Order, array: Dynamic| order.is(&context, &array);
        /// Whether the order is another than that of an array.
        op !=(order: ItemOrder, array: Dynamic) -> bool =
            |context: C, order: &mut Order, array: Dynamic| order.is(&context, &array).map(|is| !is);
        /// Parts cannot be compared: their choices can.
        op ==(combination: Combination, value: Dynamic) -> bool =
            |context: C, _: &mut Combination, _: Dynamic| incomparable(&context);
        /// Parts cannot be compared: their choices can.
        op !=(combination: Combination, value: Dynamic) -> bool =
            |context: C, _: &mut Combination, _: Dynamic| incomparable(&context);
    }
}

fn incomparable(context: &NativeCallContext) -> Fallible<bool> {
    Err(error_at_call(
        context,
        "a part cannot be compared; compare what it has, such as `c.part.rows`",
    ))
}

/// Reads the array that a subset or permutation is compared with; `None` for values that no item can have.
fn listed(context: &NativeCallContext, array: &Dynamic) -> Fallible<Vec<Option<Value>>> {
    let items = array.read_lock::<Array>().ok_or_else(|| {
        let given = described(context, array);
        error_at_call(
            context,
            format!("a subset or an order is compared with an array, not with {given}"),
        )
    })?;
    Ok(items.iter().map(value_of).collect())
}

impl Subset {
    /// Returns the items in the subset, in the order in which they are listed.
    fn chosen(&self) -> Vec<&Value> {
        let (field, items) = self.asked.items(self.field);
        let has = |(_, choice): &(&Value, usize)| self.asked.option(*choice) == 1;
        items.iter().zip(field.start()..).filter(has).map(|(item, _)| item).collect()
    }

    fn is(&self, context: &NativeCallContext, array: &Dynamic) -> Fallible<bool> {
        Ok(are_same(&self.chosen(), &listed(context, array)?))
    }
}

fn are_same(items: &[&Value], values: &[Option<Value>]) -> bool {
    items.len() == values.len()
        && items
            .iter()
            .zip(values)
            .all(|(item, value)| value.as_ref().is_some_and(|value| item.is_same(value)))
}

/// Makes a rule of a script's predicate over the first `end` names of a part.
///
/// The predicate is called once for each combination that it tells apart.
pub(super) fn rule(
    context: &NativeCallContext,
    (draft, end): (&Draft, usize),
    what: &str,
    predicate: &FnPtr,
) -> Fallible<Rule> {
    let draft = Arc::new(draft.clone());
    let trail = Arc::new(Mutex::new(Trail::default()));
    let asked = Asked { draft, trail };
    let rule = Rule::of(&asked.draft.sizes(), |trail| {
        let lock = || asked.trail.lock().unwrap_or_else(PoisonError::into_inner);
        *lock() = std::mem::take(trail);
        let combination = Combination { asked: asked.clone(), path: Vec::new(), end };
        // A rule may ask a million times.
        let answer = apart(|| predicate.call_within_context::<Dynamic>(context, (combination,)))
            .map_err(|error| explain(context, what, predicate, error))?;
        *trail = std::mem::take(&mut *lock());
        answer.as_bool().map_err(|_| {
            let given = described(context, &answer);
            error_at_call(context, format!("{what} gave {given}; it must give true or false"))
        })
    });
    rule.map_err(|error| match error {
        RuleError::Failed(error) => error,
        RuleError::TooLarge => error_at_call(context, format!("{what}: {}", MixedError::TooLarge)),
    })
}

/// Explains a predicate with a wrong number of parameters, which the engine reports as an unknown function.
fn explain(
    context: &NativeCallContext,
    what: &str,
    predicate: &FnPtr,
    error: Box<EvalAltResult>,
) -> Box<EvalAltResult> {
    match &*error {
        EvalAltResult::ErrorFunctionNotFound(signature, _)
            if signature.starts_with(predicate.fn_name()) =>
        {
            let form = "a function of one combination, such as |c| c.rows > 32";
            error_at_call(context, format!("{what} must be {form}"))
        }
        _ => error,
    }
}

/// Returns the value of a name in a combination: an option, a subset, a permutation or a part.
fn read(
    context: NativeCallContext,
    combination: &mut Combination,
    name: &str,
) -> Fallible<Dynamic> {
    let Combination { asked, path, end } = combination;
    let seen = &asked.draft.names(path)[..*end];
    let Some(place) = seen.iter().position(|known| known.name() == name) else {
        let names: Vec<&str> = seen.iter().map(|known| known.name()).collect();
        return Err(error_at_call(&context, unseen(name, &names)));
    };
    let asked = asked.clone();
    let Some(field) = seen[place].field() else {
        let mut path = path.clone();
        path.push(place);
        let end = asked.draft.names(&path).len();
        return Ok(Dynamic::from(Combination { asked, path, end }));
    };
    let known = &asked.draft.fields()[field];
    Ok(match known.leaf() {
        Leaf::Choice => {
            let choice = known.start();
            let option = usize::from(asked.option(choice));
            to_dynamic(&asked.draft.choices()[choice].options[option])
        }
        Leaf::Subset { .. } => Dynamic::from(Subset { asked, field }),
        Leaf::Permutation { .. } => Dynamic::from(Order { asked, field }),
        Leaf::Native { domain, .. } => {
            let kind = domain.kind();
            let reason = format!("`{name}` is a part of kind {kind}; rules cannot look into it");
            return Err(error_at_call(&context, reason));
        }
    })
}

fn unseen(name: &str, seen: &[&str]) -> String {
    let near = nearest(name, seen.iter().copied());
    let hint = near.first().map_or_else(String::new, |near| format!("; is `{near}` meant?"));
    let seen: Vec<String> = seen.iter().map(|seen| format!("`{seen}`")).collect();
    let seen = if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") };
    format!(
        "no choice `{name}` is decided before this: conditions and rules see the choices above \
         them, which are {seen}{hint}"
    )
}

fn contains(context: &NativeCallContext, subset: &Subset, item: &Dynamic) -> Fallible<bool> {
    let place = subset.asked.place(context, subset.field, item)?;
    let (field, _) = subset.asked.items(subset.field);
    Ok(subset.asked.option(field.start() + place) == 1)
}

impl Order {
    fn is(&self, context: &NativeCallContext, array: &Dynamic) -> Fallible<bool> {
        let (_, items) = self.asked.items(self.field);
        let ordered: Vec<&Value> = self.places().map(|place| &items[place]).collect();
        Ok(are_same(&ordered, &listed(context, array)?))
    }

    /// Yields the positions of the items in their order; each choice is read only when it is needed.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let (field, items) = self.asked.items(self.field);
        let mut left: Vec<usize> = (0..items.len()).collect();
        (field.start()..).map_while(move |choice| {
            let next = match left.len() {
                0 => return None,
                1 => 0,
                _ => usize::from(self.asked.option(choice)),
            };
            Some(left.remove(next))
        })
    }
}

fn item_at(context: &NativeCallContext, order: &Order, place: i64) -> Fallible<Dynamic> {
    let (_, items) = order.asked.items(order.field);
    let found = usize::try_from(place).ok().and_then(|place| order.places().nth(place));
    found.map(|item| to_dynamic(&items[item])).ok_or_else(|| {
        let last = items.len() - 1;
        error_at_call(context, format!("there is no place {place}; places go from 0 to {last}"))
    })
}

fn index_of(context: &NativeCallContext, order: &Order, item: &Dynamic) -> Fallible<i64> {
    let item = order.asked.place(context, order.field, item)?;
    Ok(order.places().take_while(|&place| place != item).count() as i64)
}
