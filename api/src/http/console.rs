//! The console: GraphiQL from its npm package, embedded at build time.
//!
//! Guarantees: nothing loads from elsewhere, and the content security policy sees to that.
//! Deliberately absent: the operators' own screens, which are another program over the same API.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What the page may load and where it may connect: itself. GraphiQL sets styles from its script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Declares the embedded files: path, content type, content.
macro_rules! assets {
    ($($path:literal, $content_type:literal, $file:expr;)+) => {
        const ASSETS: &[(&str, &str, &[u8])] = &[$(($path, $content_type, include_bytes!($file))),+];
    };
}

assets! {
    "/console/react.js", "text/javascript; charset=utf-8", concat!(env!("OUT_DIR"), "/console/react.js");
    "/console/react-dom.js", "text/javascript; charset=utf-8", concat!(env!("OUT_DIR"), "/console/react-dom.js");
    "/console/graphiql.js", "text/javascript; charset=utf-8", concat!(env!("OUT_DIR"), "/console/graphiql.js");
    "/console/graphql-ws.js", "text/javascript; charset=utf-8", concat!(env!("OUT_DIR"), "/console/graphql-ws.js");
    "/console/graphiql.css", "text/css; charset=utf-8", concat!(env!("OUT_DIR"), "/console/graphiql.css");
    "/console/console.js", "text/javascript; charset=utf-8", "../../graphiql/console.js";
    "/console/console.css", "text/css; charset=utf-8", "../../graphiql/console.css";
}

/// The page and its files.
pub(super) fn routes() -> Router {
    let page = || async { page() };
    let mut routes = Router::new().route("/", get(page)).route("/graphiql", get(page));
    for (path, content_type, content) in ASSETS {
        routes = routes.route(path, get(move || async move { asset(content_type, content) }));
    }
    routes
}

fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, include_str!("../../graphiql/index.html")).into_response()
}

fn asset(content_type: &'static str, content: &'static [u8]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, content).into_response()
}
