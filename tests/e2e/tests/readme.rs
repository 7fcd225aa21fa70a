//! The commands of the README, in their order, without a change.

use std::{fs, os::unix::fs::symlink, path::Path};

use anyhow::Result;
use apisix_prestop_e2e::{
    command::{Output, repository, run},
    image::fixtures_image,
    installation::{await_answer, image, uninstall},
    namespace,
};

/// The commands in the `sh` blocks of a section.
fn commands(readme: &str, section: &str) -> String {
    let heading = format!("\n## {section}\n");
    let start = readme.find(&heading).unwrap_or_else(|| panic!("the README has no {heading:?}"));
    let rest = &readme[start + heading.len()..];
    let section = &rest[..rest.find("\n## ").unwrap_or(rest.len())];
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

async fn shell(folder: &Path, commands: &str) -> Result<Output> {
    let commands = format!("cd '{}'\n{commands}", folder.display());
    run("bash", &["-euo", "pipefail", "-c", &commands]).await
}

/// The hooks of the Pods that are not terminating, as JSON.
async fn hooks() -> Result<String> {
    run("kubectl", &["-n", "shop", "rollout", "status", "deployment", "web"]).await?;
    let template = r#"{{range .items}}{{if not .metadata.deletionTimestamp}}{{range .spec.containers}}{{with .lifecycle}}{{.preStop}}{{else}}none{{end}} {{end}}{{end}}{{end}}"#;
    let pods = ["-n", "shop", "get", "pods", "-o", "go-template", "--template", template];
    Ok(run("kubectl", &pods).await?.stdout)
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn the_commands_of_the_readme_do_what_it_says() -> Result<()> {
    let readme = fs::read_to_string(repository().join("README.md"))?;
    let fixtures = fixtures_image()?;
    let (image, tag) = image()?;
    let folder = repository().join("target/e2e-readme");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    symlink("../../charts", folder.join("charts"))?;
    uninstall().await?;
    namespace::create("shop", "").await?;
    let web = ["-n", "shop", "create", "deployment", "web", "--image", &fixtures];
    run("kubectl", &[&web[..], &["--", "/fixtures", "workload"]].concat()).await?;
    assert_eq!(hooks().await?, "none ", "before");

    // As the README says: with another name of the image, name it.
    let install = commands(&readme, "Install").replace(
        "helm install apisix-prestop ",
        &format!("helm install apisix-prestop --set image.repository={image},image.tag={tag} "),
    );
    shell(&folder, &install).await?;
    await_answer().await?;
    shell(&folder, &commands(&readme, "Opt in")).await?;
    assert_eq!(hooks().await?, "map[sleep:map[seconds:5]] ", "after opting in");
    shell(&folder, &commands(&readme, "Override")).await?;
    let verified = shell(&folder, &commands(&readme, "Verify")).await?.stdout;
    for expected in ["fixtures=15s", "\"decision\":\"inject\""] {
        assert!(verified.contains(expected), "expected {expected} in\n{verified}");
    }
    shell(&folder, &commands(&readme, "Remove")).await?;
    run("kubectl", &["-n", "shop", "rollout", "restart", "deployment"]).await?;
    assert_eq!(hooks().await?, "none ", "after removing it");
    let configurations = ["get", "mutatingwebhookconfigurations", "-o", "name"];
    let left = run("kubectl", &configurations).await?.stdout;
    assert!(!left.contains("apisix-prestop"), "nothing of it is left: {left}");
    run("kubectl", &["delete", "namespace", "shop", "--wait=false"]).await?;
    Ok(())
}
