//! placeholder
pub mod line_file;
