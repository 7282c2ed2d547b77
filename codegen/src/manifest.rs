//! The part of a package's `Cargo.toml` that lists the resource groups.

use crate::plan::Plan;
use crate::problem::Problem;

const BEGIN: &str = "# groups: begin (written by codegen)";
const END: &str = "# groups: end";

/// `manifest` with the features of `plans` between the marks.
pub(crate) fn with_groups(manifest: &str, file: &str, plans: &[&Plan]) -> Result<String, Problem> {
    let parts =
        manifest.split_once(&format!("{BEGIN}\n")).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let Some((head, tail)) = parts else {
        let advice = format!("has no lines `{BEGIN}` and `{END}`; add them below [features]");
        return Err(Problem::new(file, "features", advice));
    };
    let groups: Vec<_> = plans.iter().flat_map(|plan| &plan.groups).collect();
    let mut out = format!("{head}{BEGIN}\ndefault = [\n    \"reqwest\",\n");
    for group in &groups {
        out.push_str(&format!("    \"{}\",\n", group.name));
    }
    out.push_str("]\n");
    for (index, group) in groups.iter().enumerate() {
        if groups.iter().skip(index + 1).any(|other| other.name == group.name) {
            let advice = "is a group of two models of this package; rename one of them";
            return Err(Problem::new(file, &group.name, advice));
        }
        out.push_str(&format!("## {}\n{} = []\n", group.doc, group.name));
    }
    out.push_str(END);
    out.push_str(tail);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_the_marks_stays() {
        let manifest = format!("[features]\n{BEGIN}\nold = []\n{END}\nreqwest = []\n");
        let written = with_groups(&manifest, "Cargo.toml", &[]).unwrap();
        assert_eq!(written, format!("[features]\n{BEGIN}\ndefault = [\n    \"reqwest\",\n]\n{END}\nreqwest = []\n"));
        assert!(with_groups("[features]\n", "Cargo.toml", &[]).unwrap_err().to_string().contains("add them"));
    }
}
