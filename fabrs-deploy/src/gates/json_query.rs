//! The gate for a number in a JSON document of a monitoring system.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{Error, ErrorKind, Secret, TaskError};
use serde_json::Value;
use serde_json_path::JsonPath;
use ureq::Agent;

use crate::gates::gate::{Gate, GateFuture, Measurement};
use crate::gates::threshold::Threshold;
use crate::gates::watched_host::WatchedHost;

/// The time limit of a request, from the connection to the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A gate for a number in a JSON document, requested by this machine: a metric of Graphite,
/// Prometheus, Sentry or New Relic.
///
/// | system | URL | path |
/// |---|---|---|
/// | Graphite | `/render?format=json&from=-5min&target=..` | `$[*].datapoints[*][0]` |
/// | Prometheus | `/api/v1/query?query=..` | `$.data.result[*].value[1]` |
/// | Sentry | `/api/0/projects/ORG/PROJECT/stats/?stat=received&resolution=10s` | `$[*][1]` |
/// | New Relic | `/v1/accounts/ID/query?nrql=..` | `$.results[*].count` |
///
/// The path is a `JSONPath` (RFC 9535). Strings with numbers are accepted, and nulls are skipped.
/// Of several numbers, the last is compared. A failed request, and a document without a number, are
/// inconclusive.
///
/// ```
/// use fabrs_deploy::{JsonQuery, Site};
///
/// let url = "https://graphite.example.com/render?format=json&from=-5min&target=shop.errors";
/// let errors = JsonQuery::get(url, "$[*].datapoints[*][0]").sum().at_most(10.0);
/// let site = Site::new("/srv/shop").gate(errors);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a gate does nothing until a site or a canary has it"]
pub struct JsonQuery {
    url: String,
    path: Result<JsonPath, Error>,
    headers: Vec<(String, Secret)>,
    selection: NumberSelection,
    threshold: Threshold,
    /// The URL of the base value, and the limit of the ratio.
    ratio: Option<(String, f64)>,
}

/// The value of several numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberSelection {
    Last,
    Sum,
    Mean,
    Maximum,
}

impl JsonQuery {
    /// Requests a URL, and selects numbers by a `JSONPath`. An invalid path is an error at
    /// the start of the deploy.
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, JsonQuery};
    /// let query = JsonQuery::get("https://prometheus.example.com/api/v1/query?query=up", "$.data");
    /// assert_eq!(query.name(), "value at prometheus.example.com");
    /// ```
    pub fn get(url: impl Into<String>, path: &str) -> Self {
        Self {
            url: url.into(),
            path: JsonPath::parse(path).map_err(|error| {
                let text = format!("invalid JSONPath `{path}` of a gate");
                Error::new(ErrorKind::Usage, text).caused_by(error)
            }),
            headers: Vec::new(),
            selection: NumberSelection::Last,
            threshold: Threshold::default(),
            ratio: None,
        }
    }

    /// Adds a header, such as `Authorization` with a token. Output never shows the value.
    ///
    /// ```
    /// # use fabrs::Secret;
    /// # use fabrs_deploy::JsonQuery;
    /// let token = Secret::new("Bearer s3cret");
    /// let query = JsonQuery::get("https://sentry.io/api/0/", "$").header("Authorization", token);
    /// assert!(!format!("{query:?}").contains("s3cret"));
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Compares the sum of all numbers. Defaults to the last number.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let query = JsonQuery::get("https://graphite.example.com/render", "$[*]").sum();
    /// assert!(format!("{query:?}").contains("Sum"));
    /// ```
    pub fn sum(mut self) -> Self {
        self.selection = NumberSelection::Sum;
        self
    }

    /// Compares the mean of all numbers. Defaults to the last number.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let query = JsonQuery::get("https://graphite.example.com/render", "$[*]").mean();
    /// assert!(format!("{query:?}").contains("Mean"));
    /// ```
    pub fn mean(mut self) -> Self {
        self.selection = NumberSelection::Mean;
        self
    }

    /// Compares the maximum of all numbers. Defaults to the last number.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let query = JsonQuery::get("https://graphite.example.com/render", "$[*]").maximum();
    /// assert!(format!("{query:?}").contains("Maximum"));
    /// ```
    pub fn maximum(mut self) -> Self {
        self.selection = NumberSelection::Maximum;
        self
    }

    /// Sets the highest good value.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let query = JsonQuery::get("https://graphite.example.com/render", "$[*]").at_most(0.5);
    /// assert!(format!("{query:?}").contains("at_most: Some(0.5)"));
    /// ```
    pub fn at_most(mut self, value: f64) -> Self {
        self.threshold.at_most = Some(value);
        self
    }

    /// Sets the lowest good value.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let query = JsonQuery::get("https://graphite.example.com/render", "$[*]").at_least(1.0);
    /// assert!(format!("{query:?}").contains("at_least: Some(1.0)"));
    /// ```
    pub fn at_least(mut self, value: f64) -> Self {
        self.threshold.at_least = Some(value);
        self
    }

    /// Sets the maximum ratio to the value at another URL, for example of the day before. The path
    /// and the headers are the same. A base of 0 is inconclusive, unless the value is 0 as well.
    ///
    /// ```
    /// # use fabrs_deploy::JsonQuery;
    /// let url = |from| format!("https://graphite.example.com/render?format=json&{from}&target=errors");
    /// let query = JsonQuery::get(url("from=-5min"), "$[*].datapoints[*][0]")
    ///     .sum()
    ///     .at_most_ratio(1.5, url("from=-1445min&until=-1440min"));
    /// # drop(query);
    /// ```
    pub fn at_most_ratio(mut self, ratio: f64, base_url: impl Into<String>) -> Self {
        self.ratio = Some((base_url.into(), ratio));
        self
    }

    /// Requests the values and compares them with the limits. Blocks the thread.
    fn measure_blocking(&self) -> Result<Measurement, Error> {
        let path = self.path.as_ref().map_err(Error::clone)?;
        let value = match self.request(&self.url, path) {
            Ok(value) => value,
            Err(reason) => return Ok(Measurement::inconclusive(reason)),
        };
        let measured = self.threshold.judge(value);
        let Some((base_url, limit)) = &self.ratio else { return Ok(measured) };
        if measured != Measurement::good(value.to_string()) {
            return Ok(measured);
        }
        Ok(match self.request(base_url, path) {
            Ok(_) if value == 0.0 => Measurement::good("0"),
            Ok(base) if !base.is_finite() || base <= 0.0 => {
                Measurement::inconclusive(format!("cannot compute the ratio: the base is {base}"))
            }
            Ok(base) if value / base > *limit => Measurement::bad(format!(
                "{value} is {:.2} times the base {base}, above the limit {limit}",
                value / base
            )),
            Ok(base) => Measurement::good(format!("{value}, base {base}")),
            Err(reason) => Measurement::inconclusive(reason),
        })
    }

    /// Requests one document and returns its value, or the reason for a missing value.
    fn request(&self, url: &str, path: &JsonPath) -> Result<f64, String> {
        let agent: Agent = Agent::config_builder().timeout_global(Some(REQUEST_TIMEOUT)).build().into();
        let mut request = agent.get(url);
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        let response = request.call().map_err(|error| error.to_string())?;
        let document: Value = response.into_body().read_json().map_err(|error| error.to_string())?;
        self.select(&document, path).ok_or_else(|| format!("no number at `{path}`"))
    }

    /// Selects the value of a document.
    fn select(&self, document: &Value, path: &JsonPath) -> Option<f64> {
        let number = |value: &&Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let numbers: Vec<f64> = path.query(document).iter().filter_map(number).collect();
        let last = *numbers.last()?;
        let sum = || numbers.iter().sum::<f64>();
        #[expect(clippy::cast_precision_loss, reason = "the number of values in a document")]
        let count = numbers.len() as f64;
        Some(match self.selection {
            NumberSelection::Last => last,
            NumberSelection::Sum => sum(),
            NumberSelection::Mean => sum() / count,
            NumberSelection::Maximum => numbers.iter().copied().fold(last, f64::max),
        })
    }
}

impl Gate for JsonQuery {
    /// Returns the host of the URL: the query may contain a token.
    fn name(&self) -> String {
        let host = url::Url::parse(&self.url).ok().and_then(|url| Some(url.host_str()?.to_owned()));
        format!("value at {}", host.as_deref().unwrap_or("an invalid URL"))
    }

    fn check(&self) -> Result<(), Error> {
        self.path.as_ref().map_err(Error::clone)?;
        if self.ratio.is_some() && self.threshold == Threshold::default() {
            return Ok(());
        }
        self.threshold.check(&self.name())
    }

    fn measure(&self, _hosts: Arc<[WatchedHost]>) -> GateFuture {
        let gate = self.clone();
        Box::pin(async move {
            let measured = tokio::task::spawn_blocking(move || gate.measure_blocking()).await;
            let crashed = |error| Error::new(ErrorKind::Internal, "internal error: the query crashed").caused_by(error);
            measured.map_err(crashed)?.map_err(TaskError::from)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(query: &JsonQuery, document: &str) -> Option<f64> {
        query.select(&serde_json::from_str(document).unwrap(), query.path.as_ref().unwrap())
    }

    fn query(path: &str) -> JsonQuery {
        JsonQuery::get("http://127.0.0.1/", path)
    }

    #[test]
    fn the_recipes_of_the_documentation_select_the_numbers_of_recorded_responses() {
        let graphite =
            r#"[{"target": "shop.errors", "datapoints": [[1.0, 1448395160], [3.5, 1448395170], [null, 1448395180]]}]"#;
        assert_eq!(select(&query("$[*].datapoints[*][0]"), graphite), Some(3.5));
        assert_eq!(select(&query("$[*].datapoints[*][0]").sum(), graphite), Some(4.5));
        let prometheus = r#"{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"job": "shop"}, "value": [1435781451.781, "0.25"]}]}}"#;
        assert_eq!(select(&query("$.data.result[*].value[1]"), prometheus), Some(0.25));
        let sentry = "[[1541455200, 1184], [1541458800, 1410], [1541462400, 1440]]";
        assert_eq!(select(&query("$[*][1]").maximum(), sentry), Some(1440.0));
        let new_relic = r#"{"results": [{"count": 42}], "metadata": {"account": 1}}"#;
        assert_eq!(select(&query("$.results[*].count"), new_relic), Some(42.0));
    }

    #[test]
    fn a_document_without_a_number_has_no_value() {
        assert_eq!(select(&query("$[*].datapoints[*][0]"), "[]"), None);
        assert_eq!(select(&query("$[*]"), r#"[null, "many"]"#), None);
        assert_eq!(select(&query("$[*]").mean(), "[1, 2]"), Some(1.5));
    }

    #[test]
    fn an_invalid_path_is_a_usage_error() {
        query("$[*]").check().expect_err("the gate has no limit");
        query("$[*]").at_most_ratio(1.5, "http://127.0.0.1/").check().unwrap();
        let error = query("$[").check().unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Usage, "invalid JSONPath `$[` of a gate"));
        query("$[*]").at_most(1.0).check().unwrap();
    }
}
