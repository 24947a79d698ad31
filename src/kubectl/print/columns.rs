//! `-o custom-columns` and `-o custom-columns-file`: a table of JSONPath columns. Knows only `value`.

use super::jsonpath::{JsonPath, JsonPathError, relaxed};
use super::tabwriter::{TabWriter, escape_terminal};
use crate::value::{Value, gofmt};

#[derive(Clone, Debug)]
struct Column {
    header: String,
    template: String,
}

/// A printer of custom columns. It remembers whether the headers were printed.
#[derive(Clone, Debug)]
pub struct CustomColumns {
    columns: Vec<Column>,
    headers: bool,
    writer: TabWriter,
}

/// What was printed, and the error that ended it: kubectl prints the rows before an error.
pub type Printed = (String, Result<(), JsonPathError>);

fn error<T>(message: impl Into<String>) -> Result<T, JsonPathError> {
    Err(JsonPathError(message.into()))
}

impl CustomColumns {
    fn new(columns: Vec<Column>, no_headers: bool) -> CustomColumns {
        CustomColumns {
            columns,
            headers: !no_headers,
            writer: TabWriter::table(),
        }
    }

    /// Columns from `HEADER:path,HEADER:path`.
    pub fn from_spec(spec: &str, no_headers: bool) -> Result<CustomColumns, JsonPathError> {
        if spec.is_empty() {
            return error("custom-columns format specified but no custom columns given");
        }
        let mut columns = Vec::new();
        for part in spec.split(',') {
            let Some((header, path)) = part.split_once(':') else {
                return error(format!(
                    "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
                ));
            };
            columns.push(Column {
                header: header.to_owned(),
                template: relaxed(path)?,
            });
        }
        Ok(CustomColumns::new(columns, no_headers))
    }

    /// Columns from a file's text: a line of headers, a line of paths.
    pub fn from_template(text: &str, no_headers: bool) -> Result<CustomColumns, JsonPathError> {
        const EXPECTED: &str =
            "Expected format is one line of space separated headers, one line of space separated column specs.";
        let mut lines = text.lines();
        let Some(headers) = lines.next() else {
            return error(format!("invalid template, missing header line. {EXPECTED}"));
        };
        let Some(paths) = lines.next() else {
            return error(format!("invalid template, missing spec line. {EXPECTED}"));
        };
        let headers: Vec<&str> = headers.split_whitespace().collect();
        let paths: Vec<&str> = paths.split_whitespace().collect();
        if headers.len() != paths.len() {
            let (h, p) = (headers.len(), paths.len());
            return error(format!(
                "number of headers ({h}) and field specifications ({p}) don't match"
            ));
        }
        let mut columns = Vec::new();
        for (header, path) in headers.into_iter().zip(paths) {
            columns.push(Column {
                header: header.to_owned(),
                template: relaxed(path)?,
            });
        }
        Ok(CustomColumns::new(columns, no_headers))
    }

    /// Prints an object, or the items of a list. The headers come first, once.
    pub fn print(&mut self, object: &Value) -> Printed {
        if std::mem::take(&mut self.headers) {
            let headers: Vec<&str> = self.columns.iter().map(|c| c.header.as_str()).collect();
            self.writer.row(&headers);
        }
        let result = self.rows(object);
        (self.writer.flush(), result)
    }

    fn rows(&mut self, object: &Value) -> Result<(), JsonPathError> {
        let mut paths = Vec::new();
        for column in &self.columns {
            paths.push(JsonPath::parse(&column.template)?.allow_missing_keys(true));
        }
        match object.get("items").as_list() {
            Some(items) if object.get("kind").str().ends_with("List") => {
                for item in items {
                    let row = row(&paths, item)?;
                    self.writer.row(&row);
                }
            }
            _ => {
                let row = row(&paths, object)?;
                self.writer.row(&row);
            }
        }
        Ok(())
    }
}

fn row(paths: &[JsonPath], object: &Value) -> Result<Vec<String>, JsonPathError> {
    let mut cells = Vec::new();
    for path in paths {
        let results = path.find(object)?;
        let texts: Vec<String> = match results.first() {
            None => vec!["<none>".to_owned()],
            Some(first) if first.is_empty() => vec!["<none>".to_owned()],
            Some(_) => results
                .iter()
                .flatten()
                .map(|v| escape_terminal(&gofmt::display(v)))
                .collect(),
        };
        cells.push(texts.join(","));
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::yaml::decode;

    fn deployments() -> Value {
        decode(
            "kind: List\nitems:\n- metadata: {name: alpha, labels: {rank: '9'}}\n  spec: {replicas: 0, containers: [{name: a, image: redis}, {name: b, image: busybox}]}\n- metadata: {name: beta, labels: {rank: '10'}}\n  spec: {replicas: 2, containers: [{name: a, image: nginx, ports: [{p: 80}, {p: 443}]}]}\n",
        )
        .unwrap()
    }

    fn run(spec: &str) -> String {
        match CustomColumns::from_spec(spec, false) {
            Err(e) => format!("error: {e}\n"),
            Ok(mut printer) => match printer.print(&deployments()) {
                (out, Ok(())) => out,
                (out, Err(e)) => format!("{out}error: {e}\n"),
            },
        }
    }

    #[test]
    fn specs() {
        for (spec, printed) in [
            (
                "NAME:.metadata.name,RANK:.metadata.labels.rank,PORTS:.spec.containers[*].ports[*].p,IMAGES:{.spec.containers[*].image}",
                "NAME    RANK   PORTS    IMAGES\nalpha   9      <none>   redis,busybox\nbeta    10     80,443   nginx\n",
            ),
            (
                "NAME:.metadata.name,SECOND:.spec.containers[1].name,LABELS:metadata.labels",
                "NAME    SECOND   LABELS\nalpha   b        map[rank:9]\nerror: array index out of bounds: index 1, length 1\n",
            ),
            (
                "A:.spec.containers[,B:.metadata.name",
                "A     B\nerror: unterminated array\n",
            ),
            (
                "IMAGE:.spec.containers[?(@.image!=\"redis:7\")].image",
                "IMAGE\nredis,busybox\nnginx\n",
            ),
            (
                "",
                "error: custom-columns format specified but no custom columns given\n",
            ),
            (
                "NAME",
                "error: unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>\n",
            ),
            (
                "A:.a,",
                "error: unexpected custom-columns spec: , expected <header>:<json-path-expr>\n",
            ),
        ] {
            assert_eq!(run(spec), printed, "{spec}");
        }
    }

    #[test]
    fn files() {
        let text = "NAME          RANK\nmetadata.name metadata.labels.rank\n";
        let mut printer = CustomColumns::from_template(text, true).unwrap();
        assert_eq!(printer.print(&deployments()).0, "alpha   9\nbeta    10\n");
        for (text, message) in [
            (
                "",
                "invalid template, missing header line. Expected format is one line of space separated headers, one line of space separated column specs.",
            ),
            (
                "A B\n",
                "invalid template, missing spec line. Expected format is one line of space separated headers, one line of space separated column specs.",
            ),
            (
                "A B\na\n",
                "number of headers (2) and field specifications (1) don't match",
            ),
        ] {
            assert_eq!(
                CustomColumns::from_template(text, false).unwrap_err().to_string(),
                message
            );
        }
    }
}
