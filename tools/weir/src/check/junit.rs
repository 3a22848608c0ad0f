//! The result as JUnit XML: each limit is a test case; a broken one has failed, and one that is undecided had an error.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use weir_report::emit;

use super::Judged;
use super::github::sentence;
use super::verdict::Verdict;
use crate::failure::Failure;
use crate::text;

/// Writes the file.
pub fn write(path: &Path, budget: &Path, judged: &[Judged<'_>]) -> Result<(), Failure> {
    let mut report = Report::new("weir");
    let mut suite = TestSuite::new(budget.display().to_string());
    for one in judged {
        let kind = match one.verdict() {
            Verdict::Kept => None,
            Verdict::Broken => Some(NonSuccessKind::Failure),
            Verdict::CannotTell(_) => Some(NonSuccessKind::Error),
        };
        let mut status = match kind {
            None => TestCaseStatus::success(),
            Some(kind) => TestCaseStatus::non_success(kind),
        };
        let sentences = one.rows.iter().map(|row| sentence(one, row));
        let sentences = sentences.map(|text| text::printable(&text).into_owned());
        let sentences: Vec<String> = sentences.collect();
        if kind.is_some() {
            let culprits = one
                .culprits
                .iter()
                .map(|(by, place)| format!("{by}: {}", text::printable(place)));
            let all: Vec<String> = sentences.iter().cloned().chain(culprits).collect();
            status.set_message(sentences.first().cloned().unwrap_or_default());
            status.set_description(all.join("\n"));
        }
        let mut case = TestCase::new(one.limit.metric.clone(), status);
        case.set_classname("weir.budget");
        suite.add_test_case(case);
    }
    report.add_test_suite(suite);
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::of_weir(format!("cannot write {}", path.display())).because(error)
    };
    let xml = report
        .to_string()
        .map_err(|error| failed(Box::new(error)))?;
    emit::replace(path, xml.as_bytes())
        .map_err(|error| Failure::of_file("write", path, error.into()))
}
