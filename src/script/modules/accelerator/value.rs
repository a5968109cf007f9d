//! Accelerators as values of scripts.

use std::any::Any;
use std::sync::Arc;

use rhai::{Engine, EvalAltResult, Position};

use super::native::NativeAccelerator;
use super::scripted::Scripted;
use crate::script::modules::part_value::ScriptPart;
use crate::script::sandbox::depth::HoldsFunctions;

/// An accelerator with all its configurations.
#[derive(Clone)]
pub(in crate::script) enum ScriptAccelerator {
    /// An accelerator of the program: a model, or a table of measurements.
    Native(Arc<dyn NativeAccelerator>),
    /// An accelerator that the script defines.
    ///
    /// It is no [`Accelerator`](crate::accel::Accelerator): its function takes script values instead of
    /// options, and runs in the engine and under the limits of its caller.
    Scripted(Arc<Scripted>),
}

impl ScriptAccelerator {
    /// Wraps a native accelerator.
    pub(in crate::script) fn native(accelerator: impl NativeAccelerator + 'static) -> Self {
        Self::Native(Arc::new(accelerator))
    }

    /// Returns the model if it is of the native family `T`.
    pub(in crate::script) fn family<T: Any>(&self) -> Option<&T> {
        match self {
            Self::Native(native) => {
                let model: &dyn Any = native.model();
                model.downcast_ref()
            }
            Self::Scripted(_) => None,
        }
    }

    /// The name that results show.
    pub(in crate::script) fn name(&self) -> &str {
        match self {
            Self::Native(native) => native.model().id(),
            Self::Scripted(scripted) => scripted.name(),
        }
    }

    /// The configurations as a part of a space.
    pub(in crate::script) fn part(
        &self,
        engine: &Engine,
    ) -> Result<ScriptPart, Box<EvalAltResult>> {
        match self {
            Self::Native(native) => Ok(native.part()),
            Self::Scripted(scripted) => {
                let value = scripted.space(engine, Position::NONE)?;
                ScriptPart::of(self.name(), value).map_err(|error| error.to_string().into())
            }
        }
    }
}

impl HoldsFunctions for ScriptAccelerator {
    fn levels(&self) -> usize {
        match self {
            Self::Native(_) => 0,
            Self::Scripted(accelerator) => accelerator.levels(),
        }
    }
}
