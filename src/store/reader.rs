//! Read access to a store, either in this process or by requests to the process that has it open.

use std::path::Path;

use super::disk::lock_owner::LockOwner;
use super::error::StoreError;
use super::format::record::RunRecord;
use super::format::trial::{Entry, Trial};
use super::format::trial_block::TrialBlock;
use super::store::Store;
use super::studies::StudyRecord;

/// Read access to a store.
pub trait Reader: Send + Sync {
    /// Returns the folder of the store.
    fn path(&self) -> &Path;

    /// Returns the process that has the store open and answers the requests; `None` if it is this process.
    ///
    /// # Errors
    /// It does not answer.
    fn holder(&self) -> Result<Option<LockOwner>, StoreError>;

    /// Returns the records of all runs, in the order of their creation.
    ///
    /// # Errors
    /// The store fails.
    fn runs(&self) -> Result<Vec<RunRecord>, StoreError>;

    /// Returns the record of a run.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    fn run(&self, name: &str) -> Result<RunRecord, StoreError>;

    /// Returns the records of all studies, in the order of their names.
    ///
    /// # Errors
    /// The store fails.
    fn studies(&self) -> Result<Vec<StudyRecord>, StoreError>;

    /// Returns the number of trials of a run.
    ///
    /// # Errors
    /// The store fails.
    fn trial_count(&self, run: &str) -> Result<u64, StoreError>;

    /// Returns a block of a run: its trials from step `number * Block::LEN` on, at most [`TrialBlock::LEN`].
    ///
    /// `None` if the run ends before that step.
    ///
    /// # Errors
    /// A trial is missing or damaged, or the store fails.
    fn block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError>;

    /// Returns the number of trials, or of a sweep's networks, that the last intact checkpoint of a run
    /// covers.
    ///
    /// # Errors
    /// The store fails, or every checkpoint of the run is damaged.
    fn checkpoint_step(&self, run: &str) -> Result<Option<u64>, StoreError>;

    /// Returns the text of a script by its hash.
    ///
    /// # Errors
    /// The store fails, or the text does not match its hash.
    fn source(&self, digest: &str) -> Result<Option<String>, StoreError>;

    /// Returns the record of a training run by its key.
    ///
    /// # Errors
    /// The store fails, or the record is damaged.
    fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the keys of all training runs, in order.
    ///
    /// # Errors
    /// The store fails.
    fn training_keys(&self) -> Result<Vec<String>, StoreError>;
}

impl Reader for Store {
    fn path(&self) -> &Path {
        Self::path(self)
    }

    fn holder(&self) -> Result<Option<LockOwner>, StoreError> {
        Ok(None)
    }

    fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        Self::runs(self)
    }

    fn run(&self, name: &str) -> Result<RunRecord, StoreError> {
        Self::run(self, name)
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, StoreError> {
        Self::studies(self)
    }

    fn trial_count(&self, run: &str) -> Result<u64, StoreError> {
        Self::trial_count(self, run)
    }

    fn block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError> {
        Self::block(self, run, number)
    }

    fn checkpoint_step(&self, run: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.latest_checkpoint(run)?.map(|(step, _)| step))
    }

    fn source(&self, digest: &str) -> Result<Option<String>, StoreError> {
        Self::source(self, digest)
    }

    fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Self::training(self, key)
    }

    fn training_keys(&self) -> Result<Vec<String>, StoreError> {
        Self::training_keys(self)
    }
}

impl<'a> dyn Reader + 'a {
    /// Iterates over the blocks of a run's trials, in order.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    pub fn blocks(&self, run: &str) -> Result<Blocks<'_>, StoreError> {
        self.run(run)?;
        Ok(Blocks { reader: self, run: run.to_owned(), next: Some(0) })
    }

    /// Iterates over the trials of a run with their costs, in order.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    pub fn entries(&self, run: &str) -> Result<Entries<'_>, StoreError> {
        Ok(Entries { blocks: self.blocks(run)?, now: None })
    }

    /// Iterates over the trials of a run, in order.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    pub fn trials(
        &self,
        run: &str,
    ) -> Result<impl Iterator<Item = Result<Trial, StoreError>> + '_, StoreError> {
        Ok(self.entries(run)?.map(|entry| entry.map(|entry| entry.trial)))
    }

    /// Returns one trial of a run with its cost; `None` if the run ends before it.
    ///
    /// # Errors
    /// A trial of its block is missing or damaged, or the store fails.
    pub fn entry(&self, run: &str, step: u64) -> Result<Option<Entry>, StoreError> {
        let block = self.block(run, step / TrialBlock::LEN)?;
        Ok(block.and_then(|block| {
            let at = (step % TrialBlock::LEN) as usize;
            (at < block.len()).then(|| block.entry(at))
        }))
    }
}

impl Store {
    /// Iterates over the trials of a run, in order.
    ///
    /// # Errors
    /// There is no such run, or the store fails.
    pub fn trials(
        &self,
        run: &str,
    ) -> Result<impl Iterator<Item = Result<Trial, StoreError>> + '_, StoreError> {
        (self as &dyn Reader).trials(run)
    }
}

/// An iterator over the blocks of a run's trials, in order.
pub struct Blocks<'a> {
    reader: &'a dyn Reader,
    run: String,
    /// The number of the next block; `None` after the last one.
    next: Option<u64>,
}

impl Iterator for Blocks<'_> {
    type Item = Result<TrialBlock, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next.take()?;
        let block = self.reader.block(&self.run, number).transpose()?;
        if let Ok(block) = &block
            && block.len() as u64 == TrialBlock::LEN
        {
            self.next = Some(number + 1);
        }
        Some(block)
    }
}

/// An iterator over the trials of a run with their costs, in order.
pub struct Entries<'a> {
    blocks: Blocks<'a>,
    now: Option<(TrialBlock, usize)>,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((block, at)) = &mut self.now
                && *at < block.len()
            {
                *at += 1;
                return Some(Ok(block.entry(*at - 1)));
            }
            match self.blocks.next()? {
                Ok(block) => self.now = Some((block, 0)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
