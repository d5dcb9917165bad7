//! Lists, records and the calendar of the workplace: what people do in them all day.

use branchline_tests::visitor::Visitor;
use serde_json::json;

use crate::workplace::{company, id, signed_in};

#[test]
fn lists_are_narrowed_shaped_saved_and_taken_away() {
    let company = company();
    let hub = &company.hub;
    hub.json(["create", "account", "name=-2+3", "city=Lviv"]);
    let mut anna = signed_in(hub, "anna@acme.example");
    // The builder's condition joins the one that is there; columns are those that were picked.
    let built = anna.get("/c/account?where=city+is+not+empty&add.field=name&add.op=%7E&add.value=2%2B&pick=1&order=name,city&column.city=on&column.name=on");
    assert_eq!(built.status, 200, "{}", built.body);
    assert!(built.body.contains("value=\"city is not empty and name ~ &quot;2+&quot;\""), "{}", built.body);
    assert!(
        built.body.contains("-2+3") && built.body.contains("Lviv") && !built.body.contains("Orbit"),
        "{}",
        built.body
    );
    let mut owner = signed_in(hub, "owner@acme.example");
    let csv = owner.get("/c/account.csv?columns=name,city");
    assert!(csv.header("content-disposition").contains("account.csv"), "{csv:?}");
    assert!(csv.body.starts_with("id,name,city\r\n") && csv.body.contains(",'-2+3,Lviv"), "{}", csv.body);
    assert_eq!(owner.get("/c/account.exe").status, 404);
    assert_eq!(anna.get("/c/account.csv").status, 403, "a seller may not export");

    let saved = [("name", "Mine"), ("query", "where=city+is+not+empty&sort=name")];
    assert_eq!(anna.post("/c/account/views", &saved).status, 303);
    assert_eq!(anna.post("/c/account/views", &[("name", "Ours"), ("query", "q=Orbit"), ("shared", "yes")]).status, 303);
    hub.json(["users", "add", "Ira", "--email", "ira@acme.example", "--role", "seller", "--branch", "kyiv"]);
    let mut ira = signed_in(hub, "ira@acme.example");
    let list = anna.get("/c/account").body;
    assert!(list.contains(">Mine</a>") && list.contains(">Ours</a>"), "{list}");
    let theirs = ira.get("/c/account").body;
    assert!(!theirs.contains(">Mine</a>") && theirs.contains(">Ours</a>"), "{theirs}");
    let mine = id(hub, "view", "Mine");
    assert_eq!(ira.post("/c/account/views", &[("remove", &mine)]).status, 403);
    assert_eq!(anna.post("/c/account/views", &[("remove", &mine)]).status, 303);
    assert!(!anna.get("/c/account").body.contains(">Mine</a>"));
}

#[test]
fn words_are_looked_for_in_the_whole_list_and_a_category_shows_what_is_beneath_it() {
    let company = company();
    let hub = &company.hub;
    // Two hundred newer hits of others, and of another collection, stand before the one that is Anna's.
    hub.json(["edit", "opportunity", &id(hub, "opportunity", "Kyiv deal"), "name=Kyiv deal zirka"]);
    hub.json(["create", "account", "name=Zirka", "categories=Trade/Food; VIP"]);
    hub.json(["create", "account", "name=Amber", "categories=Retail Trade/Food"]);
    hub.json(["create", "account", "name=Orion", "categories=Trade / Food / Chains"]);
    let rows: String = (0..900).map(|n| format!("Zirka {n},lviv\n")).collect();
    let file = company.home.path().join("rows.csv");
    std::fs::write(&file, format!("name,branch\n{rows}")).unwrap();
    for collection in ["opportunity", "lead"] {
        hub.json(["import", file.to_str().unwrap(), "--collection", collection]);
    }
    let mut anna = signed_in(hub, "anna@acme.example");
    for words in ["zirka", "zir"] {
        let list = anna.get(&format!("/c/opportunity?q={words}"));
        assert!(list.body.contains("Kyiv deal") && !list.body.contains("Zirka 7"), "{words}: {}", list.body);
        let found = anna.get(&format!("/search?q={words}&in=account"));
        assert!(found.body.contains(">Zirka</a>") && !found.body.contains("/c/opportunity/"), "{}", found.body);
        assert!(anna.get(&format!("/search?q={words}")).body.contains("Kyiv deal"));
    }
    let mut owner = signed_in(hub, "owner@acme.example");
    let list = owner.get("/c/opportunity?q=zirka&where=name+%7E+%22Kyiv%22").body;
    assert!(list.contains("Kyiv deal"), "{list}");
    let csv = owner.get("/c/opportunity.csv?q=zirka").body;
    assert_eq!(csv.lines().count(), 1 + 900 + 1, "{csv}");
    assert!(!owner.get("/c/opportunity?q=%21").body.contains("Kyiv deal"), "no word finds nothing");

    let tree = anna.get("/tree").body;
    let trade = tree.split("<a href=\"").find(|link| link.contains("\">Trade</a>")).unwrap().split('"').next().unwrap();
    let list = anna.get(&trade.replace("&amp;", "&")).body;
    assert!(list.contains("Zirka") && list.contains("Orion") && !list.contains("Amber"), "{trade}: {list}");
}

#[test]
fn an_address_that_only_takes_forms_leads_back_to_the_page_of_its_form() {
    let company = company();
    let hub = &company.hub;
    let home = format!("/c/opportunity/{}", id(hub, "opportunity", "Kyiv deal"));
    let mut anna = signed_in(hub, "anna@acme.example");
    for form in ["archive", "undo", "settle", "convert", "end", "plan", "comment", "lines", "attach"] {
        let answer = anna.get(&format!("{home}/{form}"));
        assert_eq!((answer.status, answer.header("location")), (303, home.as_str()), "{form}");
    }
    let pages = [("/c/account/bulk", "/c/account"), ("/c/account/views", "/c/account"), ("/language", "/")];
    for (form, page) in pages.into_iter().chain([("/sign-out", "/"), ("/import/0a/undo", "/import/0a")]) {
        let answer = anna.get(form);
        assert_eq!((answer.status, answer.header("location")), (303, page), "{form}");
    }
    assert_eq!(anna.get("/today").status, 200, "still signed in");
}

#[test]
fn many_records_are_changed_at_once_or_none() {
    let company = company();
    let hub = &company.hub;
    for n in 0..3 {
        hub.json(["create", "opportunity", &format!("name=More {n}"), "owner=anna@acme.example"]);
    }
    hub.json(["users", "add", "Ira", "--email", "ira@acme.example", "--role", "seller", "--branch", "kyiv"]);
    let ids = ["More 0", "More 1", "More 2", "Lviv deal"].map(|name| id(hub, "opportunity", name));
    let mut owner = signed_in(hub, "owner@acme.example");
    let tick = |n: usize| format!("id.{}", ids[n]);
    let set = [
        (tick(0), "on"),
        (tick(1), "on"),
        ("field".into(), "stage"),
        ("value".into(), "proposal"),
        ("act".into(), "set"),
    ];
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let done = owner.post("/c/opportunity/bulk", &set);
    assert_eq!((done.status, done.header("location")), (303, "/c/opportunity?changed=2"), "{}", done.body);
    assert_eq!(hub.json(["list", "opportunity", "--where", "stage = proposal"]).as_array().unwrap().len(), 2);
    let user = id(hub, "user", "Ira");
    let assign = [("all", "yes"), ("query", "where=name+%7E+%22More%22"), ("owner", &user), ("act", "assign")];
    assert_eq!(
        owner.post("/c/opportunity/bulk", &assign).header("location"),
        "/c/opportunity?where=name+%7E+%22More%22&changed=3"
    );
    assert_eq!(
        hub.json(["list", "opportunity", "--where", "owner = \"ira@acme.example\""]).as_array().unwrap().len(),
        3
    );
    // Of what Anna may not change and what she may, nothing is changed.
    let mut anna = signed_in(hub, "anna@acme.example");
    let own = format!("id.{}", id(hub, "opportunity", "Kyiv deal"));
    let mixed = [(own.as_str(), "on"), (&tick(0), "on"), ("act", "archive")];
    assert_eq!(anna.post("/c/opportunity/bulk", &mixed).status, 403);
    assert_eq!(
        anna.post("/c/opportunity/bulk", &[(own.as_str(), "on"), (&tick(3), "on"), ("act", "archive")]).status,
        404
    );
    assert_eq!(hub.json(["list", "opportunity"]).as_array().unwrap().len(), 5);
    assert_eq!(anna.post("/c/opportunity/bulk", &[("act", "archive")]).status, 422);
    assert_eq!(owner.post("/c/opportunity/bulk", &[(&tick(3), "on"), ("act", "archive")]).status, 303);
    assert_eq!(hub.json(["list", "opportunity"]).as_array().unwrap().len(), 4);
}

#[test]
fn a_record_is_worked_on_where_it_stands() {
    let company = company();
    let hub = &company.hub;
    let deal = id(hub, "opportunity", "Kyiv deal");
    let home = format!("/c/opportunity/{deal}");
    let mut anna = signed_in(hub, "anna@acme.example");
    let page = anna.get(&format!("{home}?edit=next_step")).body;
    assert!(page.contains("name=\"f.next_step\"") && !page.contains("name=\"f.amount\""), "{page}");
    // Lines: two come in, one goes again.
    assert!(anna.get(&format!("{home}?edit=lines")).body.contains("name=\"f.new0.description\""));
    let lines = [
        ("field", "lines"),
        ("f.new0.description", "Lens"),
        ("f.new0.quantity", "3"),
        ("f.new1.description", "Frame"),
        ("was.new1.description", ""),
    ];
    assert_eq!(anna.post(&format!("{home}/lines"), &lines).status, 303);
    let held = hub.json(["show", "opportunity", &deal])["fields"]["lines"].clone();
    assert!(held.to_string().contains("Lens") && held.to_string().contains("Frame"), "{held}");
    let form = anna.get(&format!("{home}?edit=lines"));
    let line = form.between("name=\"remove.", "\"");
    assert_eq!(
        anna.post(&format!("{home}/lines"), &[("field", "lines"), (&format!("remove.{line}"), "on")]).status,
        303
    );
    let left = hub.json(["show", "opportunity", &deal])["fields"]["lines"].to_string();
    assert!(left.contains("Lens") != left.contains("Frame"), "{left}");

    assert_eq!(anna.post(&format!("{home}/comment"), &[("text", "Ask @oleh, not <b>Max</b>")]).status, 303);
    let planned = [("kind", "call"), ("subject", "Call about lenses"), ("due_at", "2030-05-06T09:30")];
    assert_eq!(anna.post(&format!("{home}/plan"), &planned).status, 303);
    let call = hub.json(["list", "activity", "--where", "kind = call"]);
    assert_eq!(
        (&call[0]["account"]["label"], &call[0]["due_at"]),
        (&json!("Orbit Foods"), &json!("2030-05-06T09:30:00.000Z"))
    );
    let note = hub.json(["list", "activity", "--where", "subject ~ oleh"]);
    assert!(note[0]["participants"].to_string().contains("Oleh"), "{note}");
    let mut oleh = signed_in(hub, "oleh@acme.example");
    // The comment is of Kyiv: Oleh learns of it where he sees it, and nowhere else.
    assert!(!oleh.get("/today").body.contains("Ask @oleh"));
    assert_eq!(anna.post(&format!("{home}/comment"), &[("text", "Note to @Anna!")]).status, 303);
    assert!(anna.get("/today").body.contains("Note to @Anna!"));
    let page = anna.get(&home).body;
    for text in ["Ask @oleh, not &lt;b&gt;Max", "Call about lenses", "comment"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(anna.post(&format!("{home}/end"), &[("stage", "lost"), ("reason", " ")]).status, 422);
    assert_eq!(anna.post(&format!("{home}/end"), &[("stage", "lost"), ("reason", "Too dear")]).status, 303);
    let ended = hub.json(["show", "opportunity", &deal])["fields"].clone();
    assert_eq!((&ended["stage"], &ended["lost_reason"]), (&json!("lost"), &json!("Too dear")));
    assert!(ended["closed_on"].is_string());
    let again = anna.post(&format!("{home}/end"), &[("stage", "won")]);
    assert!(again.status == 422 && again.body.contains("already ended"), "{}", again.body);
    // One that is dragged to its end is closed as well.
    let dragged = hub.json(["create", "opportunity", "name=Dragged", "owner=anna@acme.example"]);
    let dragged = format!("/c/opportunity/{}", dragged["id"].as_str().unwrap());
    assert_eq!(anna.post(&dragged, &[("back", "board"), ("was.stage", ""), ("f.stage", "won")]).status, 303);
    let closed = hub.json(["show", "opportunity", "name=Dragged"]);
    assert_eq!(closed["fields"]["closed_on"], ended["closed_on"], "{closed}");

    let lead = hub.json(["create", "lead", "name=Iryna Melnyk", "company=Zirka", "owner=anna@acme.example"]);
    let lead = lead["id"].as_str().unwrap().to_owned();
    let made = anna.post(&format!("/c/lead/{lead}/convert"), &[]);
    assert!(made.header("location").starts_with("/c/opportunity/"), "{}", made.body);
    assert_eq!(anna.post(&format!("/c/lead/{lead}/convert"), &[]).header("location"), made.header("location"));
    assert_eq!(
        anna.post(&format!("/c/opportunity/{}/end", id(hub, "opportunity", "Lviv deal")), &[("stage", "won")]).status,
        404
    );
}

#[test]
fn files_go_up_and_come_down_and_nothing_in_them_runs() {
    let company = company();
    let hub = &company.hub;
    let home = format!("/c/opportunity/{}", id(hub, "opportunity", "Kyiv deal"));
    let mut anna = signed_in(hub, "anna@acme.example");
    let picture = b"\x89PNG\r\n\x1a\nnot much of a picture";
    for (name, bytes) in [("offer.html", &b"<script>alert(1)</script>"[..]), ("../up/photo.png", picture)] {
        assert_eq!(anna.upload(&format!("{home}/attach"), &[], ("file", name, bytes)).status, 303, "{name}");
    }
    let page = anna.get(&home).body;
    assert!(page.contains("offer.html") && page.contains(">photo.png<") && !page.contains("../up"), "{page}");
    let places: Vec<String> = page
        .split("<a href=\"")
        .filter_map(|rest| rest.split('"').next())
        .filter(|to| to.ends_with("/file/file"))
        .map(str::to_owned)
        .collect();
    assert!(places.len() >= 2, "{page}");
    for place in &places {
        let file = anna.get(place);
        assert_eq!((file.status, file.header("content-type")), (200, "application/octet-stream"), "{place}");
        assert!(file.header("content-disposition").starts_with("attachment"), "{file:?}");
        assert!(file.header("content-security-policy").starts_with("default-src 'none'"));
    }
    // Who does not see the deal's branch does not see its files.
    let mut oleh = signed_in(hub, "oleh@acme.example");
    assert_eq!(oleh.get(&places[0]).status, 404);
    assert_eq!(Visitor::new(hub.url()).upload(&format!("{home}/attach"), &[], ("file", "x", b"x")).status, 403);
}

#[test]
fn a_calendar_shows_days_weeks_and_months_and_feeds_other_programs() {
    let company = company();
    let hub = &company.hub;
    for (subject, owner, at) in
        [("Anna visits", "anna", "2026-11-05T09:00:00Z"), ("Oleh visits", "oleh", "2026-11-05T10:00:00Z")]
    {
        let values = [
            format!("subject={subject}"),
            format!("owner={owner}@acme.example"),
            format!("starts_at={at}"),
            "kind=visit".into(),
        ];
        hub.json(["create", "activity"].into_iter().map(str::to_owned).chain(values));
    }
    let mut owner = signed_in(hub, "owner@acme.example");
    for (view, shown) in [("month", "2026-11"), ("week", "2026-11-02 – 2026-11-08"), ("day", "2026-11-05")] {
        let page = owner.get(&format!("/calendar?view={view}&on=2026-11-05&who=all")).body;
        assert!(page.contains(shown) && page.contains("Anna visits") && page.contains("Oleh visits"), "{view}: {page}");
        assert!(!owner.get(&format!("/calendar?view={view}&on=2026-11-05")).body.contains("Anna visits"), "{view}");
    }
    let mut anna = signed_in(hub, "anna@acme.example");
    assert!(!anna.get("/calendar?on=2026-11-05&who=all").body.contains("Oleh visits"));
    hub.json([
        "create",
        "activity",
        "subject=Soon; with, signs",
        "owner=anna@acme.example",
        "kind=call",
        &format!("due_at={}", soon(hub)),
    ]);
    let made = anna.post("/calendar/feed", &[("act", "make")]);
    let feed = format!("/feed/{}", made.between("/feed/", "<"));
    let mut program = Visitor::new(hub.url());
    let text = program.get(&feed);
    assert_eq!((text.status, text.header("content-type")), (200, "text/calendar; charset=utf-8"));
    assert!(
        text.body.contains("SUMMARY:Soon\\; with\\, signs\r\n") && text.body.ends_with("END:VCALENDAR\r\n"),
        "{}",
        text.body
    );
    assert_eq!(program.get("/feed/0000000000000000000000000000000000000000.ics").status, 404);
    anna.post("/calendar/feed", &[("act", "end")]);
    assert_eq!(program.get(&feed).status, 404);

    hub.json(["edit", "account", "name=Orbit Foods", "categories=Trade/Food; VIP"]);
    let tree = anna.get("/tree").body;
    assert!(tree.contains(">Food</a>") && tree.contains("Trade%2FFood"), "{tree}");
}

// A moment that a feed of today holds: that of the newest record.
fn soon(hub: &branchline_tests::process::Node) -> String {
    hub.json(["list", "activity", "--limit", "1", "--sort", "-created_at"])[0]["created_at"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_long_timeline_comes_page_by_page() {
    let company = company();
    let hub = &company.hub;
    let deal = id(hub, "opportunity", "Kyiv deal");
    for n in 0..60 {
        hub.json(["edit", "opportunity", &deal, &format!("next_step=Step {n}.")]);
    }
    let mut anna = signed_in(hub, "anna@acme.example");
    let page = anna.get(&format!("/c/opportunity/{deal}"));
    let (newest, older) = (&page.body, page.between("rel=\"next\" href=\"", "\""));
    assert!(newest.contains("Step 59.") && newest.contains("Step 10.") && !newest.contains("Step 5."), "{newest}");
    let oldest = anna.get(&older).body;
    assert!(oldest.contains("Step 5.") && !oldest.contains("Step 20."), "{oldest}");
    assert!(!oldest.contains("rel=\"next\""), "{oldest}");
}

#[test]
fn a_board_is_narrowed_like_a_list_and_stays_so_while_cards_move() {
    let company = company();
    let hub = &company.hub;
    hub.json(["users", "add", "Ira", "--email", "ira@acme.example", "--role", "seller", "--branch", "kyiv"]);
    let (soon, late) = ("expected_on=2027-01-10", "expected_on=2027-06-10");
    for (name, owner, day, amount) in [
        ("Near", "anna@acme.example", soon, "100 USD"),
        ("Far", "anna@acme.example", late, "20 USD"),
        ("Hers", "ira@acme.example", soon, "3 USD"),
    ] {
        let values = [format!("name={name}"), format!("owner={owner}"), format!("amount={amount}"), day.to_owned()];
        hub.json(["create", "opportunity", "stage=new"].into_iter().map(str::to_owned).chain(values));
    }
    let mut owner = signed_in(hub, "owner@acme.example");
    let on = |visitor: &mut Visitor, query: &str| {
        let body = visitor.get(&format!("/board/opportunity?{query}")).body;
        ["Near", "Far", "Hers", "Lviv deal"].map(|name| body.contains(&format!(">{name}</a>")))
    };
    assert_eq!(on(&mut owner, ""), [true, true, true, true]);
    let (anna, kyiv) = (id(hub, "user", "Anna"), id(hub, "branch", "Kyiv"));
    assert_eq!(on(&mut owner, &format!("is.owner={anna}")), [true, true, false, false]);
    assert_eq!(on(&mut owner, &format!("is.branch={kyiv}")), [true, true, true, false]);
    assert_eq!(on(&mut owner, "from=2027-01-01&to=2027-01-31"), [true, false, true, false]);
    assert_eq!(on(&mut owner, "add.field=amount&add.op=%3E&add.value=50"), [true, false, false, false]);
    let both = format!("is.owner={anna}&to=2027-01-31");
    assert_eq!(on(&mut owner, &both), [true, false, false, false]);
    // The sums are of what is shown, and the list of a column is narrowed in the same way.
    let board = owner.get(&format!("/board/opportunity?{both}"));
    assert!(board.body.contains("100.00 USD") && !board.body.contains("123.00 USD"), "{}", board.body);
    let list = board.between("data-stage=\"new\"", "</a>");
    let list = list.split_once("href=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&");
    let listed = owner.get(&list).body;
    assert!(listed.contains(">Near</a>") && !listed.contains(">Far</a>") && !listed.contains(">Hers</a>"), "{listed}");
    // A card that was moved leads back to the same board.
    let view = board.between("name=\"view\" value=\"", "\"").replace("&amp;", "&");
    let near = id(hub, "opportunity", "Near");
    let moved = [("back", "board"), ("view", view.as_str()), ("was.stage", "new"), ("f.stage", "proposal")];
    let moved = owner.post(&format!("/c/opportunity/{near}"), &moved);
    let back = moved.header("location").to_owned();
    assert!(back.starts_with("/board/opportunity?") && back.contains(&anna), "{back}");
    assert!(owner.get(&back).body.contains(">Near</a>"));
    // What cannot be read is told where it stands.
    for bad in ["where=amount+%3E", "from=32.13.2026", "where=nothing+%3D+1"] {
        let told = owner.get(&format!("/board/opportunity?{bad}"));
        assert_eq!(told.status, 422, "{bad}");
        assert!(told.body.contains("role=\"alert\""), "{bad}");
    }
}

#[test]
fn cards_stand_as_they_were_moved_and_a_move_is_no_fact_of_the_deal() {
    let company = company();
    let hub = &company.hub;
    let deals = ["First", "Second", "Third", "Fourth"].map(|name| {
        hub.json(["create", "opportunity", &format!("name={name}"), "stage=qualified", "owner=anna@acme.example"]);
        id(hub, "opportunity", name)
    });
    let mut anna = signed_in(hub, "anna@acme.example");
    let column = |visitor: &mut Visitor, query: &str| {
        let page =
            visitor.get(&format!("/board/opportunity?{query}")).between("data-stage=\"qualified\"", "</section>");
        page.split("data-card=\"/c/opportunity/")
            .skip(1)
            .map(|card| deals.iter().position(|id| card.starts_with(id.as_str())).unwrap())
            .collect::<Vec<_>>()
    };
    // The newest first, until somebody moves one.
    assert_eq!(column(&mut anna, ""), [3, 2, 1, 0]);
    let moved = |visitor: &mut Visitor, card: usize, behind: &str| {
        let form =
            [("back", "board"), ("view", ""), ("was.stage", "qualified"), ("f.stage", "qualified"), ("behind", behind)];
        assert_eq!(visitor.post(&format!("/c/opportunity/{}", deals[card]), &form).status, 303);
    };
    moved(&mut anna, 0, &deals[3]);
    assert_eq!(column(&mut anna, ""), [3, 0, 2, 1]);
    moved(&mut anna, 1, "");
    assert_eq!(column(&mut anna, ""), [1, 3, 0, 2]);
    // The buttons of a card say where it goes.
    let page = anna.get("/board/opportunity");
    let card = page.between(&format!("data-card=\"/c/opportunity/{}", deals[0]), "</li>");
    let goes: Vec<&str> = card.split("name=\"behind\" value=\"").skip(1).map(|rest| &rest[..36]).collect();
    assert_eq!(goes, [deals[1].as_str(), deals[2].as_str()]);
    moved(&mut anna, 0, goes[1]);
    assert_eq!(column(&mut anna, ""), [1, 3, 2, 0]);
    // Another order that is asked for is kept; a place is no fact, neither in forms nor in what happened.
    assert_eq!(column(&mut anna, "sort=name"), [0, 3, 1, 2]);
    for page in ["", "/edit"] {
        let body = anna.get(&format!("/c/opportunity/{}{page}", deals[3])).body;
        assert!(!body.contains("Place on the board") && !body.contains("board_place"), "{body}");
    }
    assert!(hub.json(["show", "opportunity", &deals[3]])["fields"]["board_place"].is_string());
    // Who chooses a stage from the list puts the card among those that nobody has ordered.
    let chosen = [("back", "board"), ("view", ""), ("was.stage", "qualified"), ("f.stage", "proposal")];
    anna.post(&format!("/c/opportunity/{}", deals[3]), &chosen);
    let shown = hub.json(["show", "opportunity", &deals[3]])["fields"].clone();
    assert_eq!((&shown["stage"], &shown["board_place"]), (&json!("proposal"), &json!(null)), "{shown}");
    assert_eq!(column(&mut anna, ""), [1, 2, 0]);
}
