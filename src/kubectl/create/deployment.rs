//! `kubectl create deployment`.

use super::{GENERATOR, generate, one_name};
use crate::kubectl::command::{Cmd, VERB, Verb};
use crate::kubectl::error::Error;
use crate::kubectl::flags::{Flag, Kind, flag};
use crate::value::Value;
use crate::{list, obj};

const FLAGS: &[Flag] = &[
    flag("image", '\0', Kind::Slice, "[]"),
    flag("port", '\0', Kind::Int32, "-1"),
    flag("replicas", 'r', Kind::Int32, "1"),
];

pub static DEPLOYMENT: Verb = Verb {
    name: "deployment",
    aliases: &["deploy"],
    short: "Create a deployment with the specified name",
    flags: &[
        FLAGS,
        GENERATOR[0],
        GENERATOR[1],
        GENERATOR[2],
        GENERATOR[3],
        GENERATOR[4],
    ],
    required: &["image"],
    run: Some(|c| Box::pin(run(c))),
    ..VERB
};

/// A container's name from its image: what stands after the last `/`, without tag and digest. A name that
/// may not be one as it is gets `-` in place of `_` and `.`, and a random end, so that none is twice there.
fn container_name(cmd: &Cmd, image: &str) -> String {
    let base = image.rsplit('/').next().unwrap_or(image);
    let base = base.split([':', '@']).next().unwrap_or(base);
    match base.contains(['_', '.']) {
        true => format!("{}-{}", base.replace(['_', '.'], "-"), cmd.sim().random_suffix(5)),
        false => base.to_owned(),
    }
}

async fn run(cmd: &Cmd) -> Result<(), Error> {
    let name = one_name(cmd)?;
    let images = cmd.flags.all("image");
    let command = cmd.args.get(1..).unwrap_or_default();
    if images.len() > 1 && !command.is_empty() {
        return Err(Error::plain("cannot specify multiple --image options and command"));
    }
    let containers: Value = images
        .iter()
        .map(|image| {
            let mut c = obj! { "image": image.as_str(), "name": container_name(cmd, image), "resources": obj! {} };
            if !command.is_empty() {
                c.set(
                    &["command"],
                    command.iter().map(|w| Value::from(w.as_str())).collect::<Value>(),
                );
            }
            c
        })
        .collect();
    let mut containers = containers;
    let port = cmd.flags.int("port");
    if port >= 0
        && let Some(first) = containers.list_mut().first_mut()
    {
        first.set(&["ports"], list![obj! { "containerPort": port }]);
    }
    let labels = obj! { "app": name.as_str() };
    let object = obj! {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": obj! { "labels": &labels, "name": name.as_str() },
        "spec": obj! {
            "replicas": cmd.flags.int("replicas"),
            "selector": obj! { "matchLabels": &labels },
            "strategy": obj! {},
            "template": obj! {
                "metadata": obj! { "labels": &labels },
                "spec": obj! { "containers": containers },
            },
        },
        "status": obj! {},
    };
    generate(cmd, object, "failed to create deployment").await
}
