//! The forms of an answer: JSON, CSV and Arrow.

use axum::http::{HeaderMap, header};
use utoipa::ToSchema;

use super::{No, internal};
use crate::rest::Problem;
use crate::rest::reads::{Body, EpochStamp, Stamp};
use crate::server::rest::bad;

/// Code of the refusal of a form that there is not.
const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";

/// In which form to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(in crate::server) enum Form {
    Json,
    Csv,
    Arrow,
}

impl Form {
    const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Arrow];

    /// The form that a request wants: what `format` names, else the one that `Accept` likes best.
    pub(super) fn of(format: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(format) = format {
            let named = Self::ALL.into_iter().find(|form| form.name() == format);
            return named.ok_or_else(|| {
                let format: String = format.chars().take(50).collect();
                bad(format!("`format` is {format}; give json, csv or arrow"))
            });
        }
        let given = headers.get_all(header::ACCEPT).into_iter();
        let given: Vec<&str> = given.filter_map(|value| value.to_str().ok()).collect();
        accepted(&given.join(",")).ok_or_else(|| {
            let text = "none of the forms in `Accept` can be had; ask for application/json, \
                        text/csv or application/vnd.apache.arrow.stream";
            Problem::new(NOT_ACCEPTABLE, text).with_status(406)
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
        }
    }

    /// Its media type as sent.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The bytes of an answer.
    pub(super) fn render<B: Body>(
        self,
        body: &B,
        stamp: Option<Stamp>,
        epoch: Option<EpochStamp>,
    ) -> Result<Vec<u8>, No> {
        match self {
            Self::Json => serde_json::to_vec(body).map_err(internal),
            Self::Csv => Ok(body.table().csv()),
            Self::Arrow => {
                let mut metadata = Vec::new();
                if let Some(stamp) = stamp {
                    metadata.push(("block", stamp.block.to_string()));
                    metadata.push(("hash", stamp.hash.0.to_string()));
                    metadata.push(("specVersion", stamp.spec_version.to_string()));
                    metadata.push(("finalized", stamp.finalized.to_string()));
                }
                if let Some(epoch) = epoch {
                    metadata.push(("epochBlock", epoch.block.0.to_string()));
                    if let Some(index) = epoch.index {
                        metadata.push(("epochIndex", index.0.to_string()));
                    }
                }
                if let Some(next) = body.next() {
                    metadata.push(("next", next.to_owned()));
                }
                body.table().arrow(&metadata).map_err(internal)
            }
        }
    }
}

/// The form that a client likes best, of those it takes; the first one at equal liking. JSON
/// without a word about it.
fn accepted(accept: &str) -> Option<Form> {
    if accept.trim().is_empty() {
        return Some(Form::Json);
    }
    let liking = |form: Form| {
        let kind = form.kind().split(';').next().unwrap_or_default();
        let family = kind.split('/').next().unwrap_or_default();
        // The most precise range that fits decides.
        let fits = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let precise = match name.as_str() {
                "*/*" | "*" => 0,
                name if name == kind => 2,
                name if name.strip_suffix("/*") == Some(family) => 1,
                _ => return None,
            };
            let liked = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            Some((precise, liked.unwrap_or(1.0)))
        });
        fits.max_by_key(|(precise, _)| *precise)
            .map_or(0.0, |(_, liked)| liked)
    };
    let mut best = None;
    for form in Form::ALL {
        let liked = liking(form);
        if liked > 0.0 && best.is_none_or(|(most, _)| liked > most) {
            best = Some((liked, form));
        }
    }
    best.map(|(_, form)| form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_liked_best_is_given() {
        let arrow = "application/vnd.apache.arrow.stream";
        for (accept, form) in [
            ("", Some(Form::Json)),
            ("*/*", Some(Form::Json)),
            ("text/csv", Some(Form::Csv)),
            ("text/*", Some(Form::Csv)),
            ("text/html, */*;q=0.8", Some(Form::Json)),
            ("application/json;q=0.5, text/csv", Some(Form::Csv)),
            ("TEXT/CSV; charset=utf-8", Some(Form::Csv)),
            (arrow, Some(Form::Arrow)),
            ("application/*", Some(Form::Json)),
            ("application/json;q=0, application/*", Some(Form::Arrow)),
            ("application/xml", None),
            ("*/*;q=0", None),
            (";;,,", None),
        ] {
            assert_eq!(accepted(accept), form, "{accept}");
        }
    }
}
