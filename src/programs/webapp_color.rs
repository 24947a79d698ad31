//! KodeKloud's `webapp-color`: a page in the colour that `--color`, `APP_COLOR` or chance says, which greets from its
//! host. The page and the log's lines are in our own words where nobody looks for them.

use std::rc::Rc;

use super::{Image, Sandbox, log_date, path_of, peer, program, until_stopped};
use crate::net::http::HttpResponse;
use crate::shell::{Commands, Context, Files};

/// The colours that the application knows, as it paints them.
const COLORS: &[(&str, &str)] = &[
    ("red", "#e74c3c"),
    ("green", "#16a085"),
    ("blue", "#2980b9"),
    ("blue2", "#30336b"),
    ("pink", "#be2edd"),
    ("darkblue", "#130f40"),
];

pub(super) fn install(image: &Image, _tag: &str, sandbox: &Rc<Sandbox>, commands: &mut Commands, _files: &Files) {
    for name in image.entrypoint.iter().take(1) {
        program(commands, name, sandbox, run);
    }
}

async fn run(context: Context, sandbox: Rc<Sandbox>) -> i32 {
    let flag = context.rest().iter().position(|arg| arg == "--color");
    let by_flag = flag.and_then(|at| context.rest().get(at + 1));
    let (color, whence) = match (by_flag, context.env.get("APP_COLOR")) {
        (Some(color), _) => (color.clone(), format!("Color from command line argument ={color}")),
        (None, Some(color)) => (
            color.clone(),
            format!("No Command line argument. Color from environment variable ={color}"),
        ),
        (None, None) => {
            let at = context.sim.random_below(COLORS.len() as u64);
            let color = COLORS.get(at as usize).map_or("red", |(name, _)| name);
            (
                color.to_owned(),
                format!("No command line argument or environment variable. Picking a Random Color ={color}"),
            )
        }
    };
    context.stdout.line(&whence);
    let Some((_, paint)) = COLORS.iter().find(|(name, _)| *name == color) else {
        let all: Vec<&str> = COLORS.iter().map(|(name, _)| *name).collect();
        context.stdout.line(format!(
            "Color not supported. Received '{color}' expected one of {}",
            all.join(",")
        ));
        return 1;
    };
    let body = format!(
        "<!doctype html>\n<title>Hello from Flask</title>\n<body style=\"background: {paint};\"></body>\n<div style=\"color: #e4e4e4;\n    text-align:  center;\n    height: 90px;\n    vertical-align:  middle;\">\n\n  <h1>Hello from {}!</h1>\n\n</div>",
        sandbox.hostname
    );
    let (log, sim) = (context.stderr.clone(), context.sim.clone());
    let opened = sandbox.serve(8080, move |request| {
        let response = match path_of(&request) {
            "/" => HttpResponse::new(200, "text/html; charset=utf-8", body.clone()),
            "/color" => HttpResponse::new(200, "text/html; charset=utf-8", color.clone()),
            _ => HttpResponse::new(
                404,
                "text/html; charset=utf-8",
                "<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n",
            ),
        };
        let date = log_date(sim.now());
        let (date, _) = date.split_once(" +").unwrap_or((&date, ""));
        log.line(format!(
            "{} - - [{}] \"{} {} HTTP/1.1\" {} -",
            peer(&request),
            date.replace('/', " ").replacen(':', " ", 1),
            request.method,
            request.path,
            response.status
        ));
        std::future::ready(response)
    });
    match opened {
        Ok(_open) => {
            context
                .stderr
                .line(" * Serving Flask app 'app'\n * Running on http://0.0.0.0:8080/ (Press CTRL+C to quit)");
            128 + until_stopped(&context.process).await
        }
        Err(error) => {
            context.stderr.line(format!("OSError: {error}"));
            1
        }
    }
}
