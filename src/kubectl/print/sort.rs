//! `--sort-by`: objects ordered by a JSONPath field with kubectl's rules. Knows `value` and quantities.

use std::cmp::Ordering;

use super::jsonpath::{JsonPath, JsonPathError, go_type, relaxed};
use crate::api::quantity::Quantity;
use crate::flat::Arrange;
use crate::value::{Value, quoted};

/// The order of the objects by a field, as indexes into them. Objects without the field come first.
/// The error is the sentence of the sorter; `kubectl get` of a Table answers it with no rows.
pub fn order(objects: &[Value], field: &str) -> Result<Vec<usize>, JsonPathError> {
    let path = JsonPath::parse(&relaxed(field)?)?.allow_missing_keys(true);
    let mut keys = Vec::with_capacity(objects.len());
    for object in objects {
        keys.push(path.first(object)?);
    }
    if !objects.is_empty() && keys.iter().all(Option::is_none) {
        return Err(JsonPathError(format!(
            "couldn't find any field with path {} in the list of objects",
            quoted(&relaxed(field)?)
        )));
    }
    if let Some(bad) = keys
        .iter()
        .flatten()
        .find(|k| matches!(k, Value::Map(_) | Value::Bool(_) | Value::List(_)))
        && objects.len() > 1
    {
        return Err(JsonPathError(format!(
            "Field {} in *unstructured.Unstructured is an unsortable type: interface, err: unsortable type: {}",
            relaxed(field)?,
            go_type(bad)
        )));
    }
    let mut indexes: Vec<usize> = (0..objects.len()).collect();
    let less = |a: usize, b: usize| match (
        keys.get(a).and_then(Option::as_ref),
        keys.get(b).and_then(Option::as_ref),
    ) {
        // kubectl says 'less' of two that both lack the field, which turns their order around.
        (None, _) => true,
        (_, None) => false,
        (Some(a), Some(b)) => compare(a, b) == Ordering::Less,
    };
    if indexes.len() <= INSERTION {
        for i in 1..indexes.len() {
            let mut j = i;
            while j > 0 && pair(&indexes, j).is_some_and(|(x, y)| less(x, y)) {
                indexes.swap(j, j - 1);
                j -= 1;
            }
        }
    } else {
        let order = |a: &usize, b: &usize| match (less(*a, *b), less(*b, *a)) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => Ordering::Equal,
        };
        indexes.arrange_by(order);
    }
    Ok(indexes)
}

/// Up to this many, Go's `sort.Sort` is an insertion sort.
const INSERTION: usize = 12;

/// The values at `j` and before it.
fn pair(indexes: &[usize], j: usize) -> Option<(usize, usize)> {
    Some((*indexes.get(j)?, *indexes.get(j.checked_sub(1)?)?))
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Str(a), Value::Str(b)) => match (Quantity::parse(a), Quantity::parse(b)) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => natural(a, b),
        },
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
    }
}

/// The natural order of texts: runs of digits by their number, digits before other characters.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    while let (Some(&c), Some(&d)) = (x.get(i), y.get(j)) {
        match (c.is_ascii_digit(), d.is_ascii_digit()) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {
                if c != d {
                    return c.cmp(&d);
                }
                i += 1;
                j += 1;
            }
            (true, true) => {
                let run = |text: &[u8], mut at: usize| {
                    while text.get(at) == Some(&b'0') {
                        at += 1;
                    }
                    let start = at;
                    while text.get(at).is_some_and(u8::is_ascii_digit) {
                        at += 1;
                    }
                    (start, at)
                };
                let (start_a, end_a) = run(x, i);
                let (start_b, end_b) = run(y, j);
                let by_number = (end_a - start_a)
                    .cmp(&(end_b - start_b))
                    .then_with(|| x.get(start_a..end_a).cmp(&y.get(start_b..end_b)))
                    .then(start_a.cmp(&start_b));
                if by_number != Ordering::Equal {
                    return by_number;
                }
                (i, j) = (end_a, end_b);
            }
        }
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn orders() {
        let memory = |m: &str| obj! { "m": m, "n": 1 };
        let objects = [memory("1Gi"), memory("64Mi"), memory("256Mi")];
        assert_eq!(order(&objects, ".m").unwrap(), [1, 2, 0]);
        let ranks = [obj! { "r": "9" }, obj! { "r": "10" }, obj! {}];
        assert_eq!(order(&ranks, "{.r}").unwrap(), [2, 0, 1]);
        let names = [obj! { "r": "web-10" }, obj! { "r": "web-9" }, obj! { "r": "api" }];
        assert_eq!(order(&names, "r").unwrap(), [2, 1, 0]);
        let missing = [obj! { "a": 1 }, obj! { "a": 2 }, obj! { "b": 1 }];
        assert_eq!(order(&missing, ".b").unwrap(), [1, 0, 2]);
        assert_eq!(order(&[], ".b").unwrap(), [0; 0]);
    }

    #[test]
    fn errors() {
        let objects = [obj! { "a": list![1] }, obj! { "a": list![2] }];
        assert!(order(&objects, ".a").is_err());
        assert_eq!(
            order(&objects, ".b").unwrap_err().to_string(),
            "couldn't find any field with path \"{.b}\" in the list of objects"
        );
        assert_eq!(
            order(&objects, "{.spec[}").unwrap_err().to_string(),
            "unterminated array"
        );
    }

    #[test]
    fn natural_order() {
        for (a, b) in [("a2", "a10"), ("1", "a"), ("a1b", "a01"), ("a", "ab"), ("a1", "a01")] {
            assert_eq!(natural(a, b), Ordering::Less, "{a} {b}");
        }
    }
}
