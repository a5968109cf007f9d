//! The options for a layer's activation.

use rhai::{EvalAltResult, NativeCallContext};

use crate::network::{Activation, ActivationOrder};
use crate::script::options::{OptionReader, error_at_call_with_help};

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// Reads a convolution's activation and its order: from `relu`, or from `activation` and `activation_order`.
pub(super) fn conv_activation(
    context: &NativeCallContext,
    options: &mut OptionReader<'_>,
) -> Fallible<(Activation, ActivationOrder)> {
    use ActivationOrder::{After, Before};
    let relu = options.take("relu");
    let activation = activation(options)?;
    let order = match options.take("activation_order") {
        None => None,
        Some(value) => Some(match value.clone().into_string().as_deref() {
            Ok("after") => After,
            Ok("before") => Before,
            _ => {
                return Err(options.wrong("activation_order", "\"after\" or \"before\"", &value));
            }
        }),
    };
    let Some(relu) = relu else {
        return Ok((activation.unwrap_or(Activation::Relu), order.unwrap_or(After)));
    };
    if activation.is_some() || order.is_some() {
        let reason = "conv takes `relu` or `activation` with `activation_order`, not both";
        let help = "for a ReLU give `relu` alone, for others `activation` and `activation_order`";
        return Err(error_at_call_with_help(context, reason, help));
    }
    match relu.clone().into_string().as_deref() {
        Ok("after") => Ok((Activation::Relu, After)),
        Ok("before") => Ok((Activation::Relu, Before)),
        Ok("none") => Ok((Activation::None, After)),
        _ => Err(options.wrong("relu", "\"after\", \"before\" or \"none\"", &relu)),
    }
}

/// Reads the option `activation`.
pub(super) fn activation(options: &mut OptionReader<'_>) -> Fallible<Option<Activation>> {
    let Some(value) = options.take("activation") else { return Ok(None) };
    let known = value.clone().into_string().ok().and_then(|name| name.parse().ok());
    known.map(Some).ok_or_else(|| {
        let names = Activation::ALL.map(|activation| format!("\"{activation}\""));
        let (last, others) = (&names[names.len() - 1], &names[..names.len() - 1]);
        options.wrong("activation", &format!("{} or {last}", others.join(", ")), &value)
    })
}
