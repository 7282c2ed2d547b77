//! What all `Describe…` actions share: ids or filters, and pages. Services differ in their error codes only, which a
//! [`Dialect`] holds.

use serde::Deserialize;

use crate::call::Call;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::settings::UnknownFilters;
use crate::tags::Tag;

/// The error codes and limits of one service's lists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Ids and filters in one request.
    pub(crate) coexist: &'static str,
    /// A filter with an unknown name.
    pub(crate) unknown_filter: &'static str,
    /// More filters than allowed.
    pub(crate) too_many_filters: &'static str,
    /// More values in one filter than allowed.
    pub(crate) too_many_values: &'static str,
    /// More ids than allowed.
    pub(crate) too_many_ids: &'static str,
    /// An offset or a limit out of range, or not a number.
    pub(crate) bad_page: &'static str,
    pub(crate) most_filters: usize,
    pub(crate) most_values: usize,
    pub(crate) most_ids: usize,
    pub(crate) largest_page: i64,
}

/// The size of a page when the request does not say.
const DEFAULT_PAGE: i64 = 20;

/// A filter as requests carry it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Filter {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
}

/// Checked filters.
#[derive(Debug)]
pub(crate) struct Filters(Vec<Filter>);

impl Filters {
    /// Checks the filters of a request against the names that are documented for the action. `tag:` among the names
    /// stands for `tag:<key>` with any key.
    pub(crate) fn check(
        call: &Call,
        given: Option<Vec<Filter>>,
        known: &[&str],
        dialect: &Dialect,
    ) -> Result<Self, ApiError> {
        let mut given = given.unwrap_or_default();
        if given.len() > dialect.most_filters {
            let message =
                format!("A request takes at most {} filters; this one has {}.", dialect.most_filters, given.len());
            return Err(ApiError::new(dialect.too_many_filters, message));
        }
        let is_known = |name: &str| match name.strip_prefix("tag:") {
            Some(key) => known.contains(&"tag:") && !key.is_empty(),
            None => known.contains(&name),
        };
        if call.unknown_filters == UnknownFilters::Ignore {
            given.retain(|filter| is_known(&filter.name));
        }
        for filter in &given {
            if !is_known(&filter.name) {
                let known = known.join(", ").replace("tag:", "tag:<key>");
                let message = format!("The filter `{}` is not supported. Supported filters: {known}.", filter.name);
                return Err(ApiError::new(dialect.unknown_filter, message));
            }
            if filter.values.len() > dialect.most_values {
                let message = format!(
                    "The filter `{}` takes at most {} values; the request gives {}.",
                    filter.name,
                    dialect.most_values,
                    filter.values.len()
                );
                return Err(ApiError::new(dialect.too_many_values, message));
            }
        }
        Ok(Self(given))
    }

    /// Whether everything passes.
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The values of the filter with this name, if the request has it.
    pub(crate) fn values(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|filter| filter.name == name).map(|filter| filter.values.as_slice())
    }

    /// Whether a resource passes: every filter must have a value that fits. `test` says whether the resource fits one
    /// name and value; the filters on tags are answered here.
    pub(crate) fn accept(&self, tags: &[Tag], test: impl Fn(&str, &str) -> bool) -> bool {
        self.0.iter().all(|filter| {
            filter.values.iter().any(|value| match filter.name.as_str() {
                "tag-key" => tags.iter().any(|tag| tag.key == *value),
                "tag-value" => tags.iter().any(|tag| tag.value == *value),
                name => match name.strip_prefix("tag:") {
                    Some(key) => tags.iter().any(|tag| tag.key == key && tag.value == *value),
                    None => test(name, value),
                },
            })
        })
    }
}

/// Refuses a request that gives both ids and filters.
pub(crate) fn ids_or_filters<T>(
    (ids_name, ids): (&str, Option<&Vec<String>>),
    filters: Option<&Vec<T>>,
    dialect: &Dialect,
) -> Result<(), ApiError> {
    if ids.is_some_and(|ids| !ids.is_empty()) && filters.is_some_and(|filters| !filters.is_empty()) {
        let message = format!("`{ids_name}` and `Filters` cannot be given together: give one of them.");
        return Err(ApiError::new(dialect.coexist, message));
    }
    Ok(())
}

/// Checks a list of ids: not too many, each of the right form.
pub(crate) fn check_ids(
    (name, ids): (&str, &[String]),
    prefix: &str,
    malformed: &'static str,
    dialect: &Dialect,
) -> Result<(), ApiError> {
    if ids.len() > dialect.most_ids {
        let message = format!("`{name}` takes at most {} ids; the request gives {}.", dialect.most_ids, ids.len());
        return Err(ApiError::new(dialect.too_many_ids, message));
    }
    ids.iter().try_for_each(|id| check_id((name, id), prefix, malformed))
}

/// Checks the form of one id.
pub(crate) fn check_id((name, id): (&str, &str), prefix: &str, malformed: &'static str) -> Result<(), ApiError> {
    if well_formed(id, prefix) {
        return Ok(());
    }
    let message = format!("`{name}`: `{id}` is malformed; an id looks like `{prefix}-1a2b3c4d`.");
    Err(ApiError::new(malformed, message))
}

/// Which part of a list the answer shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    offset: usize,
    limit: usize,
}

impl Page {
    /// From numbers, as most actions have them.
    pub(crate) fn new(offset: Option<i64>, limit: Option<i64>, dialect: &Dialect) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=dialect.largest_page).contains(&limit) {
            let message = format!("`Limit` must be between 1 and {}; the request gives {limit}.", dialect.largest_page);
            return Err(ApiError::new(dialect.bad_page, message));
        }
        let offset = offset.unwrap_or(0);
        let Ok(offset) = usize::try_from(offset) else {
            let message = format!("`Offset` must not be negative; the request gives {offset}.");
            return Err(ApiError::new(dialect.bad_page, message));
        };
        Ok(Self { offset, limit: usize::try_from(limit).unwrap_or_default() })
    }

    /// From strings, as some actions of VPC have them.
    pub(crate) fn from_text(offset: Option<&str>, limit: Option<&str>, dialect: &Dialect) -> Result<Self, ApiError> {
        let number = |name: &str, text: Option<&str>| {
            text.map(str::parse::<i64>).transpose().map_err(|_| {
                let message = format!("`{name}` must be a number written as a string, such as \"20\".");
                ApiError::new(dialect.bad_page, message)
            })
        };
        Self::new(number("Offset", offset)?, number("Limit", limit)?, dialect)
    }

    /// Cuts the page out of a list of which everything fits, without going through all of it.
    pub(crate) fn of_all<T>(self, all: impl Iterator<Item = T>) -> Vec<T> {
        all.skip(self.offset).take(self.limit).collect()
    }

    /// Cuts the page out of everything that fits the request. Gives how much fits in all, and the page.
    pub(crate) fn cut<T>(self, all: impl Iterator<Item = T>) -> (usize, Vec<T>) {
        let mut total = 0;
        let mut page = Vec::new();
        for item in all {
            if total >= self.offset && page.len() < self.limit {
                page.push(item);
            }
            total += 1;
        }
        (total, page)
    }
}
