//! Guided by coverage: sheets of imported workbooks.

#![no_main]

branchline_fuzz::guided!("sheet");
