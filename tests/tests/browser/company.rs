//! A company whose every word of data carries a mark, so that words of the program can be told from it.

use branchline_tests::process::{Node, home};

/// Stands in every name and text of the company's records.
pub(crate) const MARK: &str = "§";

pub(crate) struct Company {
    pub(crate) home: tempfile::TempDir,
    pub(crate) hub: Node,
}

/// A hub with a branch in Kyiv, its manager Anna and seller Oleh, clients, deals, activities and a lead.
pub(crate) fn company() -> Company {
    let home = home();
    let mut hub = Node::new(home.path(), "hub");
    hub.json(["init", "--name", "Експрес§", "--owner", "owner§@acme.example"]);
    hub.json(["create", "branch", "code=kyiv", "name=Київ§"]);
    for (name, email, role) in [("Анна§", "anna@acme.example", "manager"), ("Олег§", "oleh@acme.example", "seller")]
    {
        hub.json(["users", "add", name, "--email", email, "--role", role, "--branch", "kyiv"]);
    }
    for (name, city) in [("Orbit Foods§", "Київ§"), ("Янтар§", "Львів§"), ("Заря§", "Одеса§")]
    {
        hub.json(["create", "account", &format!("name={name}"), &format!("city={city}"), "phones=+380 44 200 30 00"]);
    }
    hub.json(["create", "contact", "first_name=Олена§", "last_name=Коваль§", "account=Orbit Foods§", "branch=kyiv"]);
    let deals = [
        ("Зимове замовлення§", "new", "1250.50 UAH"),
        ("Насоси§", "proposal", "40000 UAH"),
        ("Труби§", "won", "9000 UAH"),
    ];
    for (name, stage, amount) in deals {
        let values = [format!("name={name}"), format!("stage={stage}"), format!("amount={amount}")];
        let fixed = ["account=Orbit Foods§", "owner=anna@acme.example", "expected_on=2026-12-10", "notes=Нотатка§"];
        hub.json(
            ["create", "opportunity"].into_iter().map(str::to_owned).chain(values).chain(fixed.map(str::to_owned)),
        );
    }
    for (kind, subject) in [("call", "Дзвінок§"), ("visit", "Візит§"), ("task", "Справа§")] {
        let values = [format!("kind={kind}"), format!("subject={subject}")];
        let fixed = ["account=Янтар§", "owner=anna@acme.example", "starts_at=2026-11-27T10:00:00Z"];
        hub.json(["create", "activity"].into_iter().map(str::to_owned).chain(values).chain(fixed.map(str::to_owned)));
    }
    hub.json(["create", "lead", "name=Запит§", "company=Нова§", "owner=anna@acme.example"]);
    hub.serve();
    Company { home, hub }
}
