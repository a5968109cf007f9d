//! Parts of a space as values of scripts, finished or as drafts.

use std::sync::Arc;

use rhai::{Array, Dynamic, EvalAltResult, Map, NativeCallContext};

use super::values;
use crate::script::diagnostic::{a_type, type_name};
use crate::script::options::error_at_call;
use crate::space::params::{Chosen, Content, Draft, Mixed, MixedError, check_values};
use crate::space::{Domain, SingleChoice};

/// A conversion of a part's options to the value that scripts see.
pub(super) type ToScript = Arc<dyn Fn(&[u16]) -> Result<Dynamic, String> + Send + Sync>;

/// A part of a space, with the conversion of its options to values of scripts.
#[derive(Clone)]
pub(in crate::script) struct ScriptPart {
    pub domain: Arc<dyn Domain>,
    pub value: ToScript,
    /// The choice, subset or permutation that the part consists of; `None` for any other part.
    content: Option<Content>,
}

/// Reasons that a value cannot be a part of a space.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::script) enum PartError {
    /// The value is not a part.
    #[error("part `{path}` of the space is {kind}, not a space")]
    NotAPart {
        /// The names that lead to the value, joined by dots.
        path: String,
        /// The type of the value, with its article.
        kind: String,
    },
    /// The choices and rules do not make a part.
    #[error("part `{path}` of the space: {error}")]
    Mixed {
        /// The names that lead to the value, joined by dots.
        path: String,
        /// The reason.
        error: MixedError,
    },
}

impl ScriptPart {
    /// Makes a part of a domain and the conversion of its options.
    pub(in crate::script) fn new<D: Domain + 'static>(
        domain: D,
        value: impl Fn(&D, &[u16]) -> Result<Dynamic, String> + Send + Sync + 'static,
    ) -> Self {
        let domain = Arc::new(domain);
        let shared = domain.clone();
        let value: ToScript = Arc::new(move |options| value(&shared, options));
        Self { domain, value, content: None }
    }

    /// Makes a part of a shared domain and the conversion of its options.
    pub(super) fn shared(domain: Arc<dyn Domain>, value: ToScript) -> Self {
        Self { domain, value, content: None }
    }

    /// Converts a value in a script's space to a part: a part, a draft, or the product of the parts of a map.
    pub(in crate::script) fn of(path: &str, value: Dynamic) -> Result<Self, PartError> {
        value.try_cast_result::<Self>().or_else(|value| {
            let named = |error| PartError::Mixed { path: path.to_owned(), error };
            draft(path, value)?.finish().map_err(named)
        })
    }

    /// Makes a part of a single choice, subset or permutation.
    pub(super) fn alone(content: Content) -> Result<Self, MixedError> {
        let part = match content.clone() {
            Content::Choice(options) => {
                check_values(&options)?;
                Self::new(SingleChoice::new(options), |domain, options| {
                    let value = domain.value(options).map(values::to_dynamic);
                    value.ok_or_else(|| "no such option".to_owned())
                })
            }
            content => {
                let draft = Draft::alone(content)?;
                ScriptDraft { draft, natives: Vec::new() }.finish()?
            }
        };
        Ok(Self { content: Some(content), ..part })
    }
}

/// Converts a value to the content of a name, with the conversions of the native parts in it.
pub(super) fn contents(path: &str, value: Dynamic) -> Result<(Content, Vec<ToScript>), PartError> {
    match value.try_cast_result::<ScriptPart>() {
        Ok(ScriptPart { content: Some(content), .. }) => Ok((content, Vec::new())),
        Ok(ScriptPart { domain, value, .. }) => Ok((Content::Native(domain), vec![value])),
        Err(value) => {
            let ScriptDraft { draft, natives } = draft(path, value)?;
            Ok((Content::Part(draft), natives))
        }
    }
}

/// Converts a value to a draft: a draft itself, or the product of the parts of a map.
fn draft(path: &str, value: Dynamic) -> Result<ScriptDraft, PartError> {
    let value = match value.try_cast_result::<ScriptDraft>() {
        Ok(draft) => return Ok(draft),
        Err(value) => value,
    };
    let map = value.try_cast_result::<Map>().map_err(|value| {
        let kind = a_type(type_name(value.type_name()).trim_start_matches("Script"));
        PartError::NotAPart { path: path.to_owned(), kind }
    })?;
    let mut product = ScriptDraft::default();
    for (name, value) in map {
        let (content, natives) = contents(&format!("{path}.{name}"), value)?;
        let named = |error| PartError::Mixed { path: path.to_owned(), error };
        product.add(&name, content, natives).map_err(named)?;
    }
    Ok(product)
}

/// A draft of a part, on which scripts chain calls.
#[derive(Clone, Default)]
pub(in crate::script) struct ScriptDraft {
    pub(super) draft: Draft,
    /// The conversions of the native parts in it, by their numbers.
    pub(super) natives: Vec<ToScript>,
}

impl ScriptDraft {
    /// Finishes the part.
    pub(super) fn finish(self) -> Result<ScriptPart, MixedError> {
        let Self { draft, natives } = self;
        Ok(ScriptPart::new(draft.finish()?, move |part: &Mixed, options| {
            shown(&part.chosen(options), &natives)
        }))
    }

    /// Adds content under a name, with the conversions of the native parts in it.
    pub(super) fn add(
        &mut self,
        name: &str,
        content: Content,
        natives: Vec<ToScript>,
    ) -> Result<(), MixedError> {
        self.draft.add(name, content)?;
        self.natives.extend(natives);
        Ok(())
    }

    /// Adds content without native parts; an error is placed at the script's call.
    pub(super) fn with(
        mut self,
        context: &NativeCallContext,
        name: &str,
        content: Content,
    ) -> Result<Self, Box<EvalAltResult>> {
        let added = self.add(name, content, Vec::new());
        added.map_err(|error| error_at_call(context, error.to_string()))?;
        Ok(self)
    }
}

/// Converts the options chosen to the value that scripts see.
fn shown(chosen: &Chosen<'_>, natives: &[ToScript]) -> Result<Dynamic, String> {
    Ok(match chosen {
        Chosen::Undecided => Dynamic::UNIT,
        Chosen::Value(value) => values::to_dynamic(value),
        Chosen::Items(items) => {
            items.iter().map(|item| values::to_dynamic(item)).collect::<Array>().into()
        }
        Chosen::Part(names) => {
            let named = |(name, chosen): &(&str, Chosen<'_>)| {
                Ok::<_, String>(((*name).into(), shown(chosen, natives)?))
            };
            Dynamic::from_map(names.iter().map(named).collect::<Result<Map, _>>()?)
        }
        Chosen::Native { number, options } => natives[*number](options)?,
    })
}
