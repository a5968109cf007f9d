//! In-place reads and writes of Candle variables.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Var};

/// Calls `read` with a variable's values, and returns its result.
///
/// # Errors
/// The variable is not contiguous f32 in CPU memory.
pub fn with_values<T>(
    variable: &Var,
    read: impl FnOnce(&[f32]) -> T,
) -> Result<T, candle_core::Error> {
    let (storage, layout) = variable.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("a variable is not in the processor's memory")
    };
    let Some((first, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("a variable is not contiguous")
    };
    Ok(read(&storage.as_slice::<f32>()?[first..end]))
}

/// Calls `change` with a variable's values, to be changed in place.
///
/// # Errors
/// As [`with_values`].
pub fn change_values(
    variable: &Var,
    change: impl FnMut(&mut [f32]),
) -> Result<(), candle_core::Error> {
    variable.inplace_op1(&Change(RefCell::new(change)))
}

struct Change<F>(RefCell<F>);

impl<F: FnMut(&mut [f32])> InplaceOp1 for Change<F> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let Some((first, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("a variable is not contiguous")
        };
        let CpuStorage::F32(values) = storage else { candle_core::bail!("a variable is not f32") };
        (self.0.borrow_mut())(&mut values[first..end]);
        Ok(())
    }
}
