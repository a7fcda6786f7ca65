//! Values of a [`Json`] with their place, so that an error can name it.

use super::Json;

/// A value is not what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Wrong {
    /// Where: `commits[3].scoring_logs[0].score`.
    pub at: String,
    /// What was wanted.
    pub what: String,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct At<'a> {
    /// The value.
    pub json: &'a Json,
    /// Its place.
    pub at: String,
}

impl<'a> At<'a> {
    /// The whole, under a name.
    pub fn root(json: &'a Json, name: &str) -> At<'a> {
        At {
            json,
            at: name.to_owned(),
        }
    }

    /// An error at this place.
    pub fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong {
            at: self.at.clone(),
            what: what.into(),
        }
    }

    /// The members of an object with their places.
    ///
    /// # Errors
    ///
    /// When it is no object.
    pub fn members(&self) -> Result<Vec<(&'a str, At<'a>)>, Wrong> {
        let Json::Dict(members) = self.json else {
            return Err(self.wrong("an object is wanted"));
        };
        let place = |(name, json): &'a (String, Json)| {
            let at = format!("{}.{}", self.at, shortened(name));
            (name.as_str(), At { json, at })
        };
        Ok(members.iter().map(place).collect())
    }

    /// The items of a list with their places, at most `max`.
    ///
    /// # Errors
    ///
    /// When it is no list, or a longer one.
    pub fn items(&self, max: usize) -> Result<Vec<At<'a>>, Wrong> {
        let Json::List(items) = self.json else {
            return Err(self.wrong("a list is wanted"));
        };
        if items.len() > max {
            let what = format!("{} items, and at most {max} are taken", items.len());
            return Err(self.wrong(what));
        }
        let place = |(index, json)| At {
            json,
            at: format!("{}[{index}]", self.at),
        };
        Ok(items.iter().enumerate().map(place).collect())
    }

    /// Refuses members that are not among these.
    ///
    /// # Errors
    ///
    /// When it is no object or has another member.
    pub fn only(&self, names: &[&str]) -> Result<(), Wrong> {
        for (name, at) in self.members()? {
            if !names.contains(&name) {
                return Err(at.wrong(format!(
                    "there is no such member; there are {}",
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// A member that is there and not null.
    ///
    /// # Errors
    ///
    /// When this is no object.
    pub fn get(&self, name: &str) -> Result<Option<At<'a>>, Wrong> {
        let Json::Dict(members) = self.json else {
            return Err(self.wrong("an object is wanted"));
        };
        let found = members.iter().find(|(n, _)| n == name);
        Ok(found
            .filter(|(_, json)| *json != Json::Null)
            .map(|(_, json)| At {
                json,
                at: format!("{}.{name}", self.at),
            }))
    }

    /// A member that must be there.
    ///
    /// # Errors
    ///
    /// When this is no object, or the member is missing or null.
    pub fn need(&self, name: &str) -> Result<At<'a>, Wrong> {
        self.get(name)?.ok_or_else(|| Wrong {
            at: format!("{}.{name}", self.at),
            what: "it is missing".into(),
        })
    }

    /// A text of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// When it is no text or a longer one.
    pub fn text(&self, max: usize) -> Result<&'a str, Wrong> {
        match self.json {
            Json::Str(text) if text.len() <= max => Ok(text),
            Json::Str(text) => Err(self.wrong(format!(
                "the text has {} bytes, and may have {max}",
                text.len()
            ))),
            _ => Err(self.wrong("a text is wanted")),
        }
    }

    /// A finite number.
    ///
    /// # Errors
    ///
    /// When it is no number, or beyond the doubles.
    pub fn number(&self) -> Result<f64, Wrong> {
        let number = match self.json {
            Json::Float(float) => Some(*float),
            Json::Int(digits) => digits.parse().ok(),
            _ => None,
        };
        number
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.wrong("a finite number is wanted"))
    }

    /// A number from `low` to `high`.
    ///
    /// # Errors
    ///
    /// When it is no number or outside.
    pub fn between(&self, low: f64, high: f64) -> Result<f64, Wrong> {
        let number = self.number()?;
        if (low..=high).contains(&number) {
            Ok(number)
        } else {
            Err(self.wrong(format!("{number} is not from {low} to {high}")))
        }
    }

    /// An integer from 0 to 65535.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn uid(&self) -> Result<u16, Wrong> {
        match self.json {
            Json::Int(digits) => digits.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong("a uid is wanted: an integer from 0 to 65535"))
    }

    /// True or false.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn flag(&self) -> Result<bool, Wrong> {
        match self.json {
            Json::Bool(flag) => Ok(*flag),
            _ => Err(self.wrong("true or false is wanted")),
        }
    }
}

/// Names in places are cut, since they are foreign.
fn shortened(name: &str) -> String {
    if name.chars().count() <= 64 {
        return name.to_owned();
    }
    name.chars().take(64).collect::<String>() + "…"
}
