//! What scripts can ask a network.

use rhai::{Array, Dynamic, Engine, Map};

use crate::script::host::ScriptNetwork;

pub(super) fn register(engine: &mut Engine) {
    let int = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    engine.register_type_with_name::<ScriptNetwork>("Network");
    engine.register_get("parameters", move |net: &mut ScriptNetwork| int(net.network.parameters()));
    engine.register_get("macs", move |net: &mut ScriptNetwork| int(net.network.macs()));
    engine
        .register_fn("pruned", |net: &mut ScriptNetwork| ScriptNetwork::new(net.network.pruned()));
    engine.register_fn("to_string", |net: &mut ScriptNetwork| net.network.to_text());
    engine.register_get("layers", move |net: &mut ScriptNetwork| -> Array {
        let layers = net.network.layers().iter();
        layers
            .map(|layer| {
                let shape = |shape: crate::network::Shape| -> Dynamic {
                    [shape.channels, shape.height, shape.width]
                        .map(|size| Dynamic::from(int(size as u64)))
                        .to_vec()
                        .into()
                };
                let inputs: Array = layer
                    .inputs
                    .iter()
                    .map(|&id| net.network.layer(id).name.clone().into())
                    .collect();
                Dynamic::from(Map::from([
                    ("name".into(), layer.name.clone().into()),
                    ("operation".into(), layer.operation.label().into()),
                    ("inputs".into(), inputs.into()),
                    ("input".into(), shape(layer.input)),
                    ("output".into(), shape(layer.output)),
                    ("parameters".into(), int(layer.parameters()).into()),
                    ("macs".into(), int(layer.macs()).into()),
                ]))
            })
            .collect()
    });
}
