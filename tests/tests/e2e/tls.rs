//! How a server is known by its certificate: pinned by the invitation, or vouched for by an authority of the system.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use branchline_tests::process::{Node, Outcome, Server, home};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The name that the server's certificate is for.
const NAME: &str = "localhost";

/// An authority and a server's certificate of its.
struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn made(home: &Path, name: &str) -> Self {
        let mut of_authority = CertificateParams::new(Vec::new()).unwrap();
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(of_authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let write = |what: &str, pem: String| {
            let path = home.join(format!("{name}-{what}.pem"));
            std::fs::write(&path, pem).unwrap();
            path
        };
        Self {
            authority: write("authority", authority.pem()),
            certificate: write("server", server.pem()),
            key: write("key", key.serialize_pem()),
        }
    }
}

/// The hub as others see it: at this address, with a certificate that is not the replica's own.
fn serve(hub: &Node, shown: &Certificates, host: &str, public_cert: &str) -> Server {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, url) = (free.to_string(), format!("https://{host}:{}", free.port()));
    let mut command = std::process::Command::new(branchline_tests::binary());
    command.env_remove("BRANCHLINE_DATA").arg("--data").arg(hub.dir()).args(["serve", "--listen", &listen]);
    command.args(["--public-url", &url, "--public-cert", public_cert]);
    command.arg("--tls-cert").arg(&shown.certificate).arg("--tls-key").arg(&shown.key);
    Server::start(command).expect("the hub listens")
}

/// Joins on a machine that trusts one authority.
fn join(home: &Path, name: &str, hub: &Node, trusted: &Certificates) -> Outcome {
    let code = hub.json(["invite", "--as", "branch", "--name", name]);
    let node = Node::new(home, name);
    let mut command = node.command(["join", code["code"].as_str().unwrap()]);
    command.env("SSL_CERT_FILE", &trusted.authority).env_remove("SSL_CERT_DIR");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn refusal(outcome: &Outcome) -> (i32, String) {
    (outcome.code, outcome.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_server_is_known_by_an_authority_that_the_system_trusts() {
    let home = home();
    let [ours, theirs] = ["ours", "theirs"].map(|name| Certificates::made(home.path(), name));
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    let server = serve(&hub, &ours, NAME, "system");
    let joined = join(home.path(), "north", &hub, &ours);
    assert_eq!(joined.code, 0, "{joined:#?}");
    let north = Node::new(home.path(), "north");
    assert_eq!(north.json(["upstream"])["tls_pin"], "system");
    let stranger = join(home.path(), "south", &hub, &theirs);
    assert_eq!(refusal(&stranger), (1, "upstream_not_vouched".to_owned()), "{stranger:#?}");
    assert!(server.interrupt());
    // The right authority, another name.
    let _server = serve(&hub, &ours, "127.0.0.1", "system");
    let elsewhere = join(home.path(), "west", &hub, &ours);
    assert_eq!(refusal(&elsewhere), (1, "upstream_not_vouched".to_owned()), "{elsewhere:#?}");
}

#[test]
fn a_server_is_known_by_the_certificate_of_its_proxy() {
    let home = home();
    let [ours, theirs] = ["ours", "theirs"].map(|name| Certificates::made(home.path(), name));
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    // Pinned, it needs nobody's word and no name.
    let server = serve(&hub, &ours, "127.0.0.1", ours.certificate.to_str().unwrap());
    let joined = join(home.path(), "north", &hub, &theirs);
    assert_eq!(joined.code, 0, "{joined:#?}");
    assert!(server.interrupt());
    let _server = serve(&hub, &theirs, "127.0.0.1", ours.certificate.to_str().unwrap());
    let other = join(home.path(), "south", &hub, &theirs);
    assert_eq!(refusal(&other), (1, "upstream_key_differs".to_owned()), "{other:#?}");
}

#[test]
fn an_invitation_that_nobody_could_check_is_not_made() {
    let home = home();
    let hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Acme", "--owner", "owner@acme.example"]);
    let mut command = std::process::Command::new(branchline_tests::binary());
    command.env_remove("BRANCHLINE_DATA").arg("--data").arg(hub.dir());
    command.args(["serve", "--listen", "127.0.0.1:0", "--public-url", "https://crm.acme.example"]);
    let _server = Server::start(command).expect("the hub listens");
    let refused = hub.run(["invite", "--as", "branch", "--name", "north"]);
    assert_eq!(refusal(&refused), (2, "public_cert_missing".to_owned()), "{refused:#?}");
}
