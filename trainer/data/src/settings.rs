//! Compares the settings of a resumed run with those that it was started with.

use serde_json::{Map, Value};

/// Returns the differences of two JSON values. Each has the form `PATH was A and is B`.
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use tsp_mgs_data::settings::differences;
///
/// let (was, is) = (json!({"seed": 1, "lr": 0.1}), json!({"seed": 2, "lr": 0.1}));
/// assert_eq!(differences(&was, &is), ["seed was 1 and is 2"]);
/// ```
pub fn differences(was: &Value, is: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", was, is, &mut differences);
    differences
}

fn compare(path: &str, was: &Value, is: &Value, differences: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let part = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&path, &part(a), &part(b), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, differences);
            }
        }
        _ if was == is => {}
        _ => differences.push(format!("{path} was {was} and is {is}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differing_settings_are_named_with_both_values() {
        let was = json!({"seed": 1, "optimiser": {"schedule": {"peak": 5e-6}}, "tasks": [{"crops": 15}], "old": true});
        let is = json!({"seed": 1, "optimiser": {"schedule": {"peak": 2e-6}}, "tasks": [{"crops": 5}]});
        assert_eq!(
            differences(&was, &is),
            [
                "old was true and is null",
                "optimiser.schedule.peak was 5e-6 and is 2e-6",
                "tasks[0].crops was 15 and is 5"
            ]
        );
    }
}
