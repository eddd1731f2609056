//! Snapshots, restores and copies of real databases.

mod copies;
mod faults;
mod fixture;
mod restores;
