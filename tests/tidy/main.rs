//! Rules of the repository: layers, names, texts, sizes and versions.

mod examples;
mod hygiene;
mod imports;
mod layers;
mod names;
mod prose;
mod repository;
mod sizes;
