//! The shop of `examples/django-shop`, deployed as a team would: real servers, a real database, and people who use it.

mod balancer;
mod database;
#[path = "../it/origin.rs"]
mod origin;
mod project;
mod shoppers;
mod story;
mod world;
