//! Commands that need the network, for a node's host or a container: `curl`, `wget`, `nslookup`,
//! `ping`, `nc`, and on hosts `ipvsadm`.
