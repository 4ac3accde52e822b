"""Reports: what a reader is shown, computed once (`view`), and the formats that show it."""
