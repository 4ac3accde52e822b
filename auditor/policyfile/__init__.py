"""Reads policies, the YAML files that say what must hold, and puts them together. Whatever is not understood is refused with file and line."""

from auditor.policyfile.book import Override, Policy, PolicyBook
from auditor.policyfile.composition import load
from auditor.policyfile.controls import ControlTable, load_controls
from auditor.policyfile.examples import ExampleResult, run_examples
from auditor.policyfile.explain import Explanation, explain, home_of
from auditor.policyfile.lint import LintWarning, lint

__all__ = [
    "ControlTable",
    "ExampleResult",
    "Explanation",
    "LintWarning",
    "Override",
    "Policy",
    "PolicyBook",
    "explain",
    "home_of",
    "lint",
    "load",
    "load_controls",
    "run_examples",
]
