//! Pages for payers: no scripts, nothing from elsewhere, nothing unescaped.

use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;background:#f2f4f6;color:#191f28;\
    font:16px/1.5 system-ui,'Apple SD Gothic Neo','Malgun Gothic',sans-serif}\
    main{box-sizing:border-box;width:min(26rem,100% - 2rem);padding:2rem;background:#fff;border-radius:1rem;text-align:center}\
    h1{margin:0;font-size:1.25rem;overflow-wrap:anywhere}p{overflow-wrap:anywhere}\
    .order{color:#6b7684;font-size:.8rem}";

/// A page that says one thing, in Korean and in English.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) words: &'static str,
    /// What the page is about, as lines of plain text.
    pub(super) lines: Vec<String>,
}

impl Page {
    pub(super) const fn new(status: StatusCode, title: &'static str, words: &'static str) -> Self {
        Self { status, title, words, lines: Vec::new() }
    }

    pub(super) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// Text in a page.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let lines: String = self.lines.iter().map(|line| format!("<p class=order>{}</p>", Escaped(line))).collect();
        let html = format!(
            "<!doctype html><html lang=ko><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width,initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{words}</p>{lines}</main></html>\n",
            title = Escaped(self.title),
            words = Escaped(self.words),
        );
        let headers = [
            (header::CACHE_CONTROL, "no-store"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
            ),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (self.status, headers, Html(html)).into_response()
    }
}
