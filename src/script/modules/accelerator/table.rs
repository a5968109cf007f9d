//! Measured devices in scripts.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use super::ScriptAccelerator;
use crate::accel::Accelerator;
use crate::accel::table::{Device, Devices};
use crate::metrics::Metrics;
use crate::script::modules::part_value::ScriptPart;
use crate::script::modules::values::to_dynamic;
use crate::script::options::{Options, described, refuse};
use crate::script::services::{Host, Traced};
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;
use crate::space::{Options as Listed, Value};

/// The choice among the devices.
pub(super) fn space(devices: &Devices) -> ScriptPart {
    let name = |device: &Device| Value::Text(device.name.clone());
    let listed = Listed::new(devices.all().iter().map(name).collect());
    ScriptPart::new(listed, |listed, options| {
        listed.value(options).map(to_dynamic).ok_or_else(|| "no such device".to_owned())
    })
}

/// The devices of an imported table.
pub(super) fn open(
    context: &NativeCallContext,
    host: &Host,
    name: &str,
    options: Map,
) -> Result<ScriptAccelerator, Box<EvalAltResult>> {
    let mut options = Options::new(context, "accelerator::table", options);
    let group = options.text("group")?;
    options.end()?;
    let devices = host.devices(name, group.as_deref());
    devices.map(ScriptAccelerator::Table).map_err(|reason| refuse(context, reason))
}

/// What was measured of a network on a device.
pub(super) fn look_up(
    context: &NativeCallContext,
    host: &Host,
    devices: &Arc<Devices>,
    net: &Dynamic,
    device: &Dynamic,
) -> Result<Map, Box<EvalAltResult>> {
    let refused = |reason: String| refuse(context, reason);
    let wrong = |what: &str, value: &Dynamic| {
        let (name, given) = (devices.name(), described(context, value));
        refused(format!("the table `{name}` takes {what}, and was given {given}"))
    };
    let what = "the cell of a network, or the text that it knows the network by,";
    let network = key(net).ok_or_else(|| wrong(what, net))?;
    let device = device
        .clone()
        .into_immutable_string()
        .map_err(|_| wrong("the name of a device", device))?;
    let metrics = devices.estimate(&network, &device).map_err(|e| refused(e.to_string()))?;
    host.used_devices(devices);
    host.trace(|| Traced {
        accelerator: devices.name().to_owned(),
        breakdown: devices.breakdown(&network, &device).map_err(|error| error.to_string()),
        network: None,
    });
    Ok(to_map(metrics))
}

/// The text that a table knows a network by.
fn key(net: &Dynamic) -> Option<String> {
    if let Some(cell) = net.read_lock::<Cell201>() {
        return Some(cell.to_string());
    }
    if let Some(cell) = net.read_lock::<Cell101>() {
        return Some(cell.to_string());
    }
    net.clone().into_string().ok()
}

fn to_map(metrics: Metrics) -> Map {
    metrics.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}
