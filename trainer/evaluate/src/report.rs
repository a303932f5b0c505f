//! The report of an evaluation: a table, JSON, plots, and a page with the closest and furthest predictions (Xia et al.,
//! Fig. 8).

pub mod html;
pub mod plots;
mod table;
mod write;

pub use write::write_report;
