//! End-to-end tests of `examples/django-shop`, with real servers, a real database and clients, and
//! tests of killed deploys.

mod balancer;
mod fab;
mod killed;
mod migrations;
mod project;
mod shop_environment;
mod shop_history;
mod shoppers;
