//! Real processes, most of them on real data: the three regional offices, the register of organisations, killing
//! everything, and what is done about changes that were refused.
//!
//! What a report says is held against figures that `company` computes from the CSV files by plain splitting and adding,
//! without any code of the product.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod api_described;
mod api_files;
mod backup;
mod company;
mod courier;
mod damage;
mod demo;
mod fetched_seed;
mod full_disk;
mod golden;
mod history;
mod kills;
mod offices;
mod organisations;
mod pages;
mod refused;
mod sign_in;
mod sync_centre;
mod tls;
mod web_figures;
mod web_import;
mod web_lists;
mod web_notices;
mod web_pairs;
mod web_person;
mod web_support;
mod workplace;
