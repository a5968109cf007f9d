//! Tables of measured devices in scripts.

use rhai::{Dynamic, EvalAltResult, Map, NativeCallContext};

use super::native::{NativeAccelerator, ask, to_map};
use super::value::ScriptAccelerator;
use crate::accel::table::Devices;
use crate::accel::{Accelerator, Workload};
use crate::script::modules::part_value::ScriptPart;
use crate::script::modules::values::to_dynamic;
use crate::script::options::{OptionReader, described, error_at_call};
use crate::script::services::Services;
use crate::space::nasbench101::Cell101;
use crate::space::nasbench201::Cell201;

/// Opens the devices of an imported table.
pub(super) fn open(
    context: &NativeCallContext,
    services: &Services,
    name: &str,
    options: Map,
) -> Result<ScriptAccelerator, Box<EvalAltResult>> {
    let mut options = OptionReader::new(context, "accelerator::table", options);
    let group = options.text("group")?;
    options.end()?;
    let devices = services.devices(name, group.as_deref());
    let devices = devices.map_err(|reason| error_at_call(context, reason))?;
    Ok(ScriptAccelerator::Native(devices))
}

impl NativeAccelerator for Devices {
    fn model(&self) -> &dyn Accelerator {
        self
    }

    fn part(&self) -> ScriptPart {
        ScriptPart::new(self.choice(), |choice, options| {
            choice.value(options).map(to_dynamic).ok_or_else(|| "no such device".to_owned())
        })
    }

    fn estimate(
        &self,
        context: &NativeCallContext,
        services: &Services,
        net: Dynamic,
        device: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let wrong = |what: &str, value: &Dynamic| {
            let (name, given) = (self.id(), described(context, value));
            error_at_call(
                context,
                format!("the table `{name}` takes {what}, and was given {given}"),
            )
        };
        let what = "the cell of a network, or the text that it knows the network by,";
        let network = key(&net).ok_or_else(|| wrong(what, &net))?;
        let name = device.clone().into_immutable_string();
        let name = name.map_err(|_| wrong("the name of a device", &device))?;
        let configuration =
            self.configuration(&name).map_err(|error| error_at_call(context, error.to_string()))?;
        let pair = (Workload::Key(&network), &configuration[..]);
        ask(context, services, self, pair, None).map(to_map).map(Dynamic::from)
    }
}

/// Returns the text by which a table knows a network: that of a cell, or the one given.
fn key(net: &Dynamic) -> Option<String> {
    if let Some(cell) = net.read_lock::<Cell201>() {
        return Some(cell.to_string());
    }
    if let Some(cell) = net.read_lock::<Cell101>() {
        return Some(cell.to_string());
    }
    net.clone().into_string().ok()
}
