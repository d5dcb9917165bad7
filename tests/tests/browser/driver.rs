//! A real Chromium by WebDriver: signing in, pictures, dark and narrow pages, and what axe-core thinks of a page.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use branchline_tests::checkout;
use branchline_tests::process::Node;
use fantoccini::actions::{InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long something may take to appear.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// How long a server may work on something large.
const WORK: Duration = Duration::from_secs(180);

/// How often that is asked.
pub(crate) const STEP: Duration = Duration::from_millis(50);

/// A `chromedriver` that ends with the value.
pub(crate) struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("chromedriver");
        let started = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process = started.expect("chromedriver can be started (tests/run web installs it)");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        // Whoever stops reading ends the program at its next word.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port: port.expect("chromedriver says its port") }
    }

    /// A browser of its own, with empty cookies.
    pub(crate) async fn browser(&self) -> Browser {
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
                     "--window-size=1280,900", "--lang=en"],
            "prefs": {"intl.accept_languages": "en"},
        });
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = builder.connect(&format!("http://127.0.0.1:{}", self.port)).await.expect("a browser");
        Browser { client, root: String::new() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody's browser at a server.
pub(crate) struct Browser {
    pub(crate) client: Client,
    root: String,
}

impl Browser {
    /// Signs in by a one-time link, pressing its button.
    pub(crate) async fn sign_in(&mut self, node: &Node, email: &str) {
        node.url().trim_end_matches('/').clone_into(&mut self.root);
        let link = node.json(["users", "sign-in", email])["link"].as_str().unwrap().to_owned();
        self.client.goto(&link).await.unwrap();
        self.press("main form button").await;
        self.see("header .who").await;
    }

    /// The address of what is shown, without the server.
    pub(crate) async fn at(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.root).unwrap_or(url.as_str()).to_owned()
    }

    /// Opens a page of the server.
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.root)).await.unwrap();
    }

    /// Waits for something; gives its text. A live page may replace what was found before it is read: it is sought
    /// and read in one script.
    pub(crate) async fn see(&self, css: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? null";
        let until = Instant::now() + WAIT;
        loop {
            if let Some(text) = self.run(script, vec![json!(css)]).await.as_str() {
                return text.to_owned();
            }
            assert!(Instant::now() < until, "{css} does not appear at {}:\n{}", self.at().await, self.text().await);
            tokio::time::sleep(STEP).await;
        }
    }

    /// Waits until a text stands in the page.
    pub(crate) async fn read(&self, text: &str) {
        let quoted = format!("//*[contains(normalize-space(.), \"{text}\")]");
        let found = self.client.wait().at_most(WAIT).for_element(Locator::XPath(&quoted)).await;
        if let Err(e) = found {
            panic!("“{text}” does not appear at {}: {e}\n{}", self.at().await, self.text().await);
        }
    }

    /// As [`Browser::read`], for what takes the server a while.
    pub(crate) async fn patiently(&self, text: &str) {
        let until = Instant::now() + WORK;
        while !self.text().await.contains(text) {
            assert!(Instant::now() < until, "“{text}” does not appear at {}:\n{}", self.at().await, self.text().await);
            tokio::time::sleep(STEP).await;
        }
    }

    pub(crate) async fn press(&self, css: &str) {
        let until = Instant::now() + WAIT;
        loop {
            let found = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
            match found.unwrap_or_else(|e| panic!("{css} does not appear: {e}")).click().await {
                // A live page has put another in its place.
                Err(e) if e.is_stale_element_reference() && Instant::now() < until => tokio::time::sleep(STEP).await,
                pressed => return pressed.unwrap(),
            }
        }
    }

    /// Presses what sends a form, and waits for the page that answers.
    pub(crate) async fn send(&self, css: &str) {
        self.leave().await;
        self.press(css).await;
        self.arrive().await;
    }

    /// Marks the page that something is about to lead away from.
    pub(crate) async fn leave(&self) {
        self.run("document.documentElement.dataset.left = ''", Vec::new()).await;
    }

    /// Waits until the marked page has given way to another.
    pub(crate) async fn arrive(&self) {
        self.see("html:not([data-left]) h1").await;
    }

    /// Types into a field that is empty, or that is emptied first.
    pub(crate) async fn enter(&self, css: &str, text: &str) {
        let field = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
        let field = field.unwrap_or_else(|e| panic!("{css} does not appear: {e}"));
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an entry of a list by its value.
    pub(crate) async fn choose(&self, css: &str, value: &str) {
        let list = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await;
        let list = list.unwrap_or_else(|e| panic!("{css} does not appear: {e}"));
        list.select_by_value(value).await.unwrap_or_else(|e| panic!("{css} has no {value}: {e}"));
    }

    /// Chooses the list beside a text of a file, and its entry.
    pub(crate) async fn choose_beside(&self, text: &str, value: &str) {
        let script =
            "return document.querySelector(`input[type=hidden][name^='t.'][value='${arguments[0]}']`)?.name ?? ''";
        let name = self.run(script, vec![json!(text)]).await.as_str().unwrap_or_default().replacen('t', "v", 1);
        assert!(!name.is_empty(), "{text} is not offered");
        self.choose(&format!("[name='{name}']"), value).await;
    }

    /// Takes something with the mouse and lets it fall on something else.
    pub(crate) async fn drag(&self, from: &str, to: &str) {
        let middle = async |css: &str| {
            let found = self.client.wait().at_most(WAIT).for_element(Locator::Css(css)).await.unwrap();
            let (x, y, width, height) = found.rectangle().await.unwrap();
            (x + width / 2.0, y + height.min(200.0) / 2.0)
        };
        let ((x, y), (to_x, to_y)) = (middle(from).await, middle(to).await);
        let moved = |x: f64, y: f64| PointerAction::MoveTo { duration: Some(Duration::from_millis(200)), x, y };
        let hand = MouseActions::new("hand".to_owned())
            .then(moved(x, y))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(moved(x + 12.0, y + 12.0))
            .then(moved(to_x, to_y))
            .then(moved(to_x + 2.0, to_y + 2.0))
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.client.perform_actions(hand).await.unwrap();
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> String {
        self.run("return document.body.innerText", Vec::new()).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn run(&self, script: &str, args: Vec<Value>) -> Value {
        self.client.execute(script, args).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// Reads another language from the next page on.
    pub(crate) async fn speak(&self, language: &str) {
        self.run(
            "document.cookie = `branchline_language=${arguments[0]}; Path=/; SameSite=Lax`",
            vec![json!(language)],
        )
        .await;
    }

    /// Shows pages dark or light, at a desk or on a phone.
    pub(crate) async fn look(&self, dark: bool, phone: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
        let (width, height) = if phone { (390, 844) } else { (1280, 900) };
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Writes a picture of the whole page to `target/screenshots/web`.
    pub(crate) async fn picture(&self, name: &str) {
        let bytes = self.shot(json!({"captureBeyondViewport": true})).await;
        let folder = checkout().join("target/screenshots/web");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// A picture of what one sees of the page.
    pub(crate) async fn view(&self) -> Vec<u8> {
        self.shot(json!({})).await
    }

    async fn shot(&self, how: Value) -> Vec<u8> {
        let shot = self.command("Page.captureScreenshot", how).await;
        data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// What axe-core finds serious or critical on the page, one line each.
    pub(crate) async fn barriers(&self, axe: &str) -> Vec<String> {
        self.run(axe, Vec::new()).await;
        let script = "const done = arguments[0];
            axe.run(document, { resultTypes: ['violations'] }).then(r => done(r.violations
                .filter(v => ['serious', 'critical'].includes(v.impact))
                .map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join(' | ')}`)), e => done([String(e)]))";
        let found = self.client.execute_async(script, Vec::new()).await.unwrap();
        found.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    /// What the browser complained of since the last call: scripts that failed, what the policy forbade.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(Log).await.unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == json!("SEVERE"));
        severe.filter_map(|entry| entry["message"].as_str().map(str::to_owned)).collect()
    }

    async fn command(&self, name: &str, params: Value) -> Value {
        let command = DevTools(json!({"cmd": name, "params": params}));
        self.client.issue_cmd(command).await.unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) async fn close(self) {
        let _ = self.client.close().await;
    }
}

/// A command of Chromium's own protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

#[derive(Debug)]
struct Log;

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

/// The script of axe-core, which `tests/run web` fetches.
pub(crate) fn axe() -> String {
    let path = std::env::var_os("BRANCHLINE_AXE")
        .map_or_else(|| checkout().join("target/axe/package/axe.min.js"), PathBuf::from);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; run tests/run web, which fetches it", path.display()))
}
