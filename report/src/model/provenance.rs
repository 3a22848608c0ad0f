//! Provenance in JSON: the functions that lead to the same places, in one group.
//!
//! One entry for every function would be most of the report of a tree of small processes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Provenance;

/// Functions that lead to the same places.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ProvenanceGroup"))]
pub struct Group {
    /// Where they lead.
    #[serde(flatten)]
    leads: Provenance,
    /// The functions, in alphabetical order.
    functions: Vec<String>,
}

pub fn serialize<S: Serializer>(
    provenance: &BTreeMap<String, Provenance>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut groups: BTreeMap<&Provenance, Vec<String>> = BTreeMap::new();
    for (function, leads) in provenance {
        groups.entry(leads).or_default().push(function.clone());
    }
    serializer.collect_seq(groups.into_iter().map(|(leads, functions)| Group {
        leads: leads.clone(),
        functions,
    }))
}

pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Provenance>, D::Error> {
    let groups = Vec::<Group>::deserialize(deserializer)?;
    let each = |group: Group| {
        let Group { leads, functions } = group;
        functions
            .into_iter()
            .map(move |function| (function, leads.clone()))
    };
    Ok(groups.into_iter().flat_map(each).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] BTreeMap<String, Provenance>);

    #[test]
    fn functions_that_lead_alike_stand_together() {
        let libc = Provenance {
            next: Some("libc".into()),
            bound: Some("weir".into()),
            interposed: true,
        };
        let own = Provenance {
            next: None,
            bound: Some("bash".into()),
            interposed: false,
        };
        let of = |name: &str, leads: &Provenance| (name.to_owned(), leads.clone());
        let all = Holder([of("close", &libc), of("free", &own), of("read", &libc)].into());
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                { "bound": "bash", "interposed": false, "functions": ["free"] },
                { "next": "libc", "bound": "weir", "interposed": true, "functions": ["close", "read"] },
            ])
        );
        assert_eq!(serde_json::from_value::<Holder>(json).unwrap(), all);
    }
}
