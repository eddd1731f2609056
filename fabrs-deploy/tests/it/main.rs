//! The deploy kit on three real servers, each with a user and a folder of its own, and a real git server.

mod approvals;
mod deploys;
mod forged;
mod ground;
mod interrupted;
mod limits;
mod locks;
mod parts;
mod rollbacks;
mod scopes;
mod sources;
mod told;
