//! Boots machines for a script, until the end of its stdin.
//!
//! `fabrs-machines web1 db1=postgres:postgresql web1:80` boots `web1`, and `db1` with the layer
//! `postgres` of this package. It forwards a port of loopback to the port 80 of `web1`. After the
//! boot, one line of JSON has all addresses and paths:
//!
//! ```json
//! {"identity": "/tmp/…/identity", "known_hosts": "/tmp/…/known_hosts",
//!  "machines": {"web1": {"ssh": "127.0.0.1:40001", "disk": "/tmp/…/web1"}, "db1": {}},
//!  "forwards": {"web1:80": "127.0.0.1:40003"}}
//! ```

use std::io::{self, Write as _};
use std::process::ExitCode;

use fabrs_testing::{Machine, MachineNetwork};
use serde_json::{Map, Value, json};

/// An argument of the command line.
enum Argument {
    /// `NAME` or `NAME=LAYER:PACKAGE,PACKAGE`: a machine, with the packages of a layer.
    Machine { name: String, layer: Option<(String, Vec<String>)> },
    /// `NAME:PORT`: a port of a machine, forwarded from loopback.
    Forward { name: String, port: u16 },
}

impl Argument {
    /// Parses an argument. `None` means that it has another form.
    fn parse(text: &str) -> Option<Self> {
        if let Some((name, layer)) = text.split_once('=') {
            let (layer, packages) = layer.split_once(':')?;
            let packages = packages.split(',').map(str::to_owned).collect();
            return Some(Self::Machine { name: name.to_owned(), layer: Some((layer.to_owned(), packages)) });
        }
        match text.split_once(':') {
            Some((name, port)) => Some(Self::Forward { name: name.to_owned(), port: port.parse().ok()? }),
            None => Some(Self::Machine { name: text.to_owned(), layer: None }),
        }
    }
}

fn main() -> ExitCode {
    let Some(arguments) = std::env::args().skip(1).map(|text| Argument::parse(&text)).collect::<Option<Vec<_>>>()
    else {
        let usage = "usage: fabrs-machines NAME[=LAYER:PACKAGE,...]... [NAME:PORT]...";
        writeln!(io::stderr(), "{usage}").expect("stderr is writable");
        return ExitCode::from(2);
    };
    let mut network = MachineNetwork::builder().mirror();
    for argument in &arguments {
        if let Argument::Machine { name, layer } = argument {
            let mut machine = Machine::builder(name);
            if let Some((layer, packages)) = layer {
                machine = machine.packages(layer, packages.iter().map(String::as_str));
            }
            network = network.machine(machine);
        }
    }
    let network = network.start();
    writeln!(io::stdout(), "{}", addresses(&network, &arguments)).expect("stdout is writable");
    io::copy(&mut io::stdin(), &mut io::sink()).expect("stdin is readable");
    ExitCode::SUCCESS
}

/// Returns the addresses and paths of the machines.
fn addresses(network: &MachineNetwork, arguments: &[Argument]) -> Value {
    let machine = |machine: &Machine| {
        (machine.name().to_owned(), json!({"ssh": machine.addr().to_string(), "disk": machine.disk()}))
    };
    let forwards = arguments.iter().filter_map(|argument| match argument {
        Argument::Forward { name, port } => {
            Some((format!("{name}:{port}"), json!(network.machine(name).forward(*port).to_string())))
        }
        Argument::Machine { .. } => None,
    });
    json!({
        "identity": network.identity(),
        "known_hosts": network.known_hosts(),
        "machines": network.machines().iter().map(machine).collect::<Map<_, _>>(),
        "forwards": forwards.collect::<Map<_, _>>(),
    })
}
