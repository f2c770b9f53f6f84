"""That the benchmarks run, and what they write. How fast anything is, is no test's business."""
