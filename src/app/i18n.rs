//! Every string of the page, in English and Chinese, in one table. Pure.

/// The languages of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    /// The code of the `lang` attribute.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-CN",
        }
    }

    pub fn other(self) -> Language {
        match self {
            Language::English => Language::Chinese,
            Language::Chinese => Language::English,
        }
    }

    /// The string of this name; the name itself when the table has none, which a test rules out.
    pub fn get(self, key: &'static str) -> &'static str {
        find(key).map_or(key, |(_, en, zh)| self.pick(en, zh))
    }

    /// As [`Language::get`], for a name made at run time.
    pub fn look_up(self, key: &str) -> String {
        find(key).map_or(key, |(_, en, zh)| self.pick(en, zh)).to_owned()
    }

    fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Language::English => en,
            Language::Chinese => zh,
        }
    }
}

fn find(key: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    TABLE
        .binary_search_by(|(k, _, _)| (*k).cmp(key))
        .ok()
        .and_then(|i| TABLE.get(i))
}

/// Name, English, Chinese; sorted by name.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str)] = &[
    ("aggregate", "{count} pods: too many to draw one by one", "{count} 个 Pod：太多，不再逐个绘制"),
    ("api-server", "API server", "API 服务器"),
    ("api-server.hint", "Everything goes through it: kubectl, the scheduler, the controllers and the kubelets all talk to the API server, never to each other.", "一切都经过它：kubectl、调度器、控制器和 kubelet 都只与 API 服务器通信，彼此从不直接交谈。"),
    ("caption.idle", "The cluster is at rest. Type a command, or press one of the suggestions.", "集群空闲中。输入一条命令，或点一个建议试试。"),
    ("caption.label", "What happens", "正在发生什么"),
    ("caption.log", "Show the log", "显示日志"),
    ("caption.log.close", "Close the log", "关闭日志"),
    ("close", "Close", "关闭"),
    ("controllers", "Controllers", "控制器"),
    ("controllers.hint", "kube-controller-manager: each controller watches what is wanted and what there is, and works off the difference.", "kube-controller-manager：每个控制器不断比较期望状态与实际状态，并消除差异。"),
    ("editor", "YAML", "YAML"),
    ("editor.apply", "Apply", "应用"),
    ("editor.apply.hint", "Apply (Ctrl-Enter)", "应用（Ctrl-Enter）"),
    ("editor.close", "Close the YAML editor", "关闭 YAML 编辑器"),
    ("editor.drop", "Drop YAML files here", "把 YAML 文件拖到这里"),
    ("editor.hide", "Hide the YAML editor", "隐藏 YAML 编辑器"),
    ("editor.label", "YAML editor", "YAML 编辑器"),
    ("editor.large", "{file} is too large for the editor (4 MiB at most).", "{file} 太大，编辑器最多接受 4 MiB。"),
    ("editor.loading", "Loading the editor…", "正在加载编辑器……"),
    ("editor.open", "Open the YAML editor", "打开 YAML 编辑器"),
    ("editor.problem", "Line {line}, column {column}: {message}", "第 {line} 行第 {column} 列：{message}"),
    ("editor.sample", "Samples", "示例"),
    ("editor.save", "Save", "保存"),
    ("editor.saved", "Saved {file}.", "已保存 {file}。"),
    ("editor.waiting", "A command waits: Save goes on with this text, × leaves all as it was.", "有命令在等待：“保存”以此内容继续，“×”则保持原样。"),
    ("endpoint", "Endpoint {address}, chosen {hits} times", "端点 {address}，被选中 {hits} 次"),
    ("endpoint.next", "next in turn", "轮到它了"),
    ("endpoints.more", "and {count} more", "另有 {count} 个"),
    ("endpoints.none", "no endpoint yet: no ready pod matches the selector", "还没有端点：没有匹配选择器的就绪 Pod"),
    ("etcd", "etcd", "etcd"),
    ("etcd.hint", "The cluster's memory: every object that the API server accepts is stored here.", "集群的记忆：API 服务器接受的每个对象都保存在这里。"),
    ("help", "Help", "帮助"),
    ("help.api", "For scripts: window.kubetab has exec, apply, advance, pause, resume, speed, objects and on.", "给脚本用：window.kubetab 提供 exec、apply、advance、pause、resume、speed、objects 和 on。"),
    ("help.colours", "Colours", "颜色"),
    ("help.intro", "This is a Kubernetes cluster of three nodes, simulated in your browser tab. What you type in the terminal really happens in it, and the picture draws only what happens.", "这是一个运行在浏览器标签页里的三节点 Kubernetes 模拟集群。你在终端输入的命令会真实地在其中执行，画面只画真正发生的事。"),
    ("help.keys", "Keys", "按键"),
    ("help.keys.complete", "Tab completes, ↑ recalls, Ctrl-R searches, Ctrl-C interrupts, Ctrl-L clears.", "Tab 补全，↑ 调出历史，Ctrl-R 搜索历史，Ctrl-C 中断，Ctrl-L 清屏。"),
    ("help.keys.leave", "In the terminal, Shift-Escape leaves to the top bar.", "在终端里，Shift-Escape 可把焦点移到顶栏。"),
    ("help.pace", "Pace", "节奏"),
    ("help.pace.teaching", "At teaching pace, requests of a few milliseconds are stretched until you can follow them, and waiting is shortened. Pause stops the cluster; Step goes to the next thing that happens.", "教学节奏会把几毫秒的请求放慢到看得清，并缩短等待。暂停会冻结集群；单步前进到下一件事。"),
    ("help.simulated", "What is simulated and what is not: every kind, command and flag", "哪些被模拟、哪些没有：每种资源、命令和参数"),
    ("hint.create", "Create 3 web servers", "创建 3 个 web 服务器"),
    ("hint.curl", "Send 9 requests", "发送 9 个请求"),
    ("hint.delete", "Delete one pod", "删除一个 Pod"),
    ("hint.expose", "Give them one address", "给它们一个统一地址"),
    ("hint.nodes", "Look at the nodes", "查看节点"),
    ("hint.pods", "List the pods", "列出 Pod"),
    ("hint.restart", "Replace its pods one by one", "逐个替换它的 Pod"),
    ("hint.scale", "Scale to 5", "扩容到 5 个"),
    ("hint.update", "Roll out a new version", "滚动更新版本"),
    ("hints", "Suggestions", "建议"),
    ("inspector.close", "Close the inspector", "关闭检查器"),
    ("inspector.describe", "Describe", "描述"),
    ("inspector.label", "Inspector", "检查器"),
    ("inspector.part", "Part of the cluster", "集群组件"),
    ("inspector.why", "Why this node?", "为什么是这个节点？"),
    ("inspector.yaml", "YAML", "YAML"),
    ("language", "中文", "English"),
    ("language.label", "Switch to Chinese", "切换到英文"),
    ("mood.done", "completed", "已完成"),
    ("mood.failing", "failing", "异常"),
    ("mood.ready", "ready", "就绪"),
    ("mood.starting", "starting", "启动中"),
    ("mood.terminating", "terminating", "终止中"),
    ("mood.unready", "running, not ready", "运行中，未就绪"),
    ("mood.waiting", "waiting for a node", "等待分配节点"),
    ("node", "Node {name}", "节点 {name}"),
    ("node.cordoned", "cordoned", "已停止调度"),
    ("node.down", "not ready", "未就绪"),
    ("node.empty", "no pods of yours here", "这里还没有你的 Pod"),
    ("node.master", "control plane", "控制平面"),
    ("node.worker", "worker", "工作节点"),
    ("pace", "Pace", "节奏"),
    ("pace.max", "max", "最快"),
    ("pace.max.hint", "As fast as it goes", "能多快就多快"),
    ("pace.pause", "Pause", "暂停"),
    ("pace.paused", "paused", "已暂停"),
    ("pace.resume", "Resume", "继续"),
    ("pace.skip", "skipping ahead {times}×", "快进 {times}×"),
    ("pace.step", "Step: on to the next event", "单步：到下一件事"),
    ("pace.teaching", "teaching", "教学"),
    ("pace.teaching.hint", "Teaching pace: slow where there is something to see, fast where there is not", "教学节奏：有看头时放慢，没看头时加快"),
    ("pace.x1", "1×", "1×"),
    ("pace.x1.hint", "One virtual second per second", "每秒走一个虚拟秒"),
    ("pace.x10", "10×", "10×"),
    ("pace.x10.hint", "Ten virtual seconds per second", "每秒走十个虚拟秒"),
    ("picture.label", "Picture of the cluster", "集群画面"),
    ("pod", "Pod {name}", "Pod {name}"),
    ("say.answered", "{what} → {code}", "{what} → {code}"),
    ("say.back-off", "Container {container} of {pod} failed again; the kubelet waits before it restarts it.", "{pod} 的容器 {container} 再次失败；kubelet 会等一会儿再重启它。"),
    ("say.bound", "The scheduler bound pod {pod} to {node}.", "调度器把 Pod {pod} 绑定到了 {node}。"),
    ("say.chose", "A request to service {service}: a rule on the node chose {endpoint}.", "一个发往服务 {service} 的请求：节点上的规则选中了 {endpoint}。"),
    ("say.chose-rr", "A request to service {service}: it is the turn of endpoint {index} of {of}, {endpoint}.", "一个发往服务 {service} 的请求：轮到第 {index}/{of} 个端点 {endpoint}。"),
    ("say.connected", "{what}: connected", "{what}：已连通"),
    ("say.cordoned", "{node} was cordoned: it takes no new pods.", "{node} 已停止调度：不再接收新的 Pod。"),
    ("say.deleted", "{kind} {name} is deleted.", "{kind} {name} 已删除。"),
    ("say.done", "Pod {pod} has completed.", "Pod {pod} 已运行完毕。"),
    ("say.endpoints", "Service {service} has {count} ready endpoints now.", "服务 {service} 现在有 {count} 个就绪端点。"),
    ("say.exited", "Container {container} of {pod} has ended.", "{pod} 的容器 {container} 已结束。"),
    ("say.failed", "Container {container} of {pod} ended with exit code {code}.", "{pod} 的容器 {container} 退出，退出码 {code}。"),
    ("say.failing", "Pod {pod} has a problem: {status}.", "Pod {pod} 出了问题：{status}。"),
    ("say.flow-refused", "{what}: connection refused, nothing listens there", "{what}：连接被拒绝，那里没有程序在监听"),
    ("say.gone", "Pod {pod} is gone.", "Pod {pod} 已消失。"),
    ("say.image", "{kind} {name} wants image {image} now: a rollout begins.", "{kind} {name} 现在要用镜像 {image}：开始滚动更新。"),
    ("say.job", "The CronJob controller created Job {name}: its time had come.", "CronJob 控制器创建了 Job {name}：时间到了。"),
    ("say.job-done", "Job {name} is complete.", "Job {name} 已完成。"),
    ("say.no-route", "{what}: no route to host", "{what}：没有到主机的路由"),
    ("say.no-such-host", "{what}: no such host", "{what}：没有这个主机名"),
    ("say.node-down", "{node} is not ready any more.", "{node} 不再就绪。"),
    ("say.node-ready", "{node} is ready.", "{node} 已就绪。"),
    ("say.pod-created", "Pod {pod} was created. It has no node yet.", "Pod {pod} 已创建，还没有节点。"),
    ("say.pod-created-by", "The {kind} controller created pod {pod}. It has no node yet.", "{kind} 控制器创建了 Pod {pod}，它还没有节点。"),
    ("say.pull-failed", "{node} could not pull image {image} for {pod}: {message}", "{node} 无法为 {pod} 拉取镜像 {image}：{message}"),
    ("say.pulling", "{node} pulls image {image} ({size}) for pod {pod}.", "{node} 正在为 Pod {pod} 拉取镜像 {image}（{size}）。"),
    ("say.ready", "Pod {pod} is ready.", "Pod {pod} 已就绪。"),
    ("say.refused", "The API server refused: {code} for {path}", "API 服务器拒绝了请求：{code}，{path}"),
    ("say.replicaset", "The Deployment controller created ReplicaSet {name}, which wants {count} pods.", "Deployment 控制器创建了 ReplicaSet {name}，它需要 {count} 个 Pod。"),
    ("say.scaled", "{kind} {name} wants {count} pods now.", "{kind} {name} 现在需要 {count} 个 Pod。"),
    ("say.scheduled", "CronJob {name} is stored in etcd: it wants a Job at {schedule}.", "CronJob {name} 已存入 etcd：按 {schedule} 创建 Job。"),
    ("say.service", "Service {service} got the address {address}.", "服务 {service} 得到了地址 {address}。"),
    ("say.started", "Container {container} of {pod} started on {node}.", "{pod} 的容器 {container} 已在 {node} 上启动。"),
    ("say.stopping", "The kubelet on {node} asks container {container} of {pod} to stop.", "{node} 上的 kubelet 正在请求 {pod} 的容器 {container} 停止。"),
    ("say.terminating", "Pod {pod} is to be deleted; its containers get time to stop.", "Pod {pod} 将被删除；它的容器有一段时间来停止。"),
    ("say.timed-out", "{what}: timed out, nobody answered", "{what}：超时，没有回应"),
    ("say.uncordoned", "{node} takes new pods again.", "{node} 重新接收新的 Pod。"),
    ("say.unschedulable", "No node fits pod {pod}: {message}", "没有适合 Pod {pod} 的节点：{message}"),
    ("say.wanted", "{kind} {name} is stored in etcd: {count} pods are wanted.", "{kind} {name} 已存入 etcd：期望 {count} 个 Pod。"),
    ("scheduler", "Scheduler", "调度器"),
    ("scheduler.hint", "Picks a node for every pod that has none: first it filters the nodes that can't take it, then it scores the rest.", "为每个还没有节点的 Pod 选择节点：先过滤掉不合适的节点，再给剩下的打分。"),
    ("service", "Service {name}", "服务 {name}"),
    ("shelf.empty", "pods without a node wait here", "还没有节点的 Pod 在这里等待"),
    ("shelf.more", "+{count}", "+{count}"),
    ("split", "Height of the picture", "画面高度"),
    ("student", "You", "你"),
    ("student.hint", "Your terminal on k8s-master. kubectl sends requests to the API server from here, curl sends traffic to services.", "你在 k8s-master 上的终端。kubectl 从这里向 API 服务器发请求，curl 从这里向服务发流量。"),
    ("student.idle", "your terminal", "你的终端"),
    ("system.hide", "Show the cluster's own pods small", "缩小显示系统 Pod"),
    ("system.label", "system pods", "系统 Pod"),
    ("system.show", "Show the cluster's own pods in full", "完整显示系统 Pod"),
    ("terminal", "Terminal", "终端"),
    ("terminal.label", "Terminal", "终端"),
    ("terminal.welcome.1", "A Kubernetes cluster of three nodes is running in this tab.", "一个三节点的 Kubernetes 集群正在这个标签页里运行。"),
    ("terminal.welcome.2", "Type kubectl as you would at a real one, or press a suggestion below.", "像在真实集群上一样输入 kubectl，或点下面的建议。"),
    ("theme.label", "Switch between light and dark", "切换浅色和深色"),
    ("title", "kubetab", "kubetab"),
    ("title.description", "A Kubernetes cluster in a browser tab: type kubectl, see what happens.", "浏览器标签页里的 Kubernetes 集群：输入 kubectl，看看会发生什么。"),
    ("title.tagline", "a Kubernetes cluster in a browser tab", "浏览器标签页里的 Kubernetes 集群"),
    ("verdict.chosen", "chosen", "选中"),
    ("verdict.filtered", "refused by {plugin}", "被 {plugin} 排除"),
    ("verdict.intro", "First the filters refuse nodes that can't take the pod; then each score plugin gives the rest 0 to 100, times its weight.", "先由过滤插件排除不能接收该 Pod 的节点；再由每个打分插件给其余节点打 0 到 100 分并乘以权重。"),
    ("verdict.none", "No decision of the scheduler was seen for this pod (it came with its node, or before the picture began).", "没有看到调度器对此 Pod 的决定（它自带节点，或早于画面开始）。"),
    ("verdict.total", "total", "总分"),
    ("virtual-time", "The cluster's own time", "集群内的时间"),
    ("wanted", "What you asked for", "你想要的"),
    ("wanted.empty", "Nothing yet. Deployments and services appear here; their pods on the nodes.", "还什么都没有。Deployment 和服务会出现在这里，它们的 Pod 会出现在节点上。"),
    ("workload.completed", "{ready} of {desired} completed", "{desired} 个中 {ready} 个已完成"),
    ("workload.ready", "{ready} of {desired} pods ready", "{desired} 个 Pod 中 {ready} 个就绪"),
    ("workload.schedule", "a Job at {schedule}", "按 {schedule} 创建 Job"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The `{name}` gaps of a string, sorted.
    fn gaps(text: &str) -> Vec<&str> {
        let mut gaps: Vec<&str> = text
            .split('{')
            .skip(1)
            .filter_map(|s| s.split_once('}').map(|(name, _)| name))
            .collect();
        gaps.sort_unstable();
        gaps
    }

    #[test]
    fn both_languages_have_every_string() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} comes after {}", pair[1].0, pair[0].0);
        }
        for (key, en, zh) in TABLE {
            assert!(!en.is_empty() && !zh.is_empty(), "{key} is empty in a language");
            assert_eq!(gaps(en), gaps(zh), "{key} has other gaps in Chinese");
        }
    }

    /// Every name that the page's code uses is in the table, and every name of the table is used.
    #[test]
    fn names_are_used_and_there() {
        fn read(dir: &std::path::Path, source: &mut String) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, source);
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("i18n.rs") {
                    source.push_str(&std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut source = String::new();
        read(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app"),
            &mut source,
        );
        let mut used = 0;
        for (marker, prefix) in [
            (".t(\"", ""),
            (".fill(\"", ""),
            ("language.get(\"", ""),
            ("Line::new(\"", "say."),
        ] {
            for key in source.split(marker).skip(1).filter_map(|rest| rest.split_once('"')) {
                let key = format!("{prefix}{}", key.0);
                assert!(find(&key).is_some(), "{key} is not in the table");
                used += 1;
            }
        }
        assert!(used > 20);
        for (key, ..) in TABLE {
            let name = format!("\"{}\"", key.strip_prefix("say.").unwrap_or(key));
            assert!(source.contains(&name), "{key} is not used");
        }
    }
}
