//! The shop of `examples/django-shop`, deployed as a team would: real servers, a real database, and people who use it; and
//! deploys whose program is killed.

mod balancer;
mod database;
mod fab;
mod killed;
mod migrations;
mod project;
mod shoppers;
mod story;
mod world;
