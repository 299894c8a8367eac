"""A playbook that writes the knobs file and restarts, or reloads, the server.

It uses `ansible.builtin` alone, so no collection is needed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from otterflow.dbms.bundle.values import Order
from otterflow.dbms.bundle.yaml_text import by_name, head


@dataclass(frozen=True)
class Place:
    """Where a server's knobs file is on a usual host, who owns it, and its service."""

    knobs_file: str
    owner: str
    service: str


def playbook(order: Order, place: Place, settings: str, *, restart: bool) -> str:
    """The playbook; `settings` is the knobs file's text without comments, each line a setting."""
    state, verb = ("restarted", "Restart") if restart else ("reloaded", "Reload")
    whence = "".join(f"# {knob.name}: {knob.because}\n" for knob in by_name(order.knobs))
    content = "".join(f"          {line}\n" for line in settings.splitlines())
    return (
        head(order, "ansible-playbook -i INVENTORY ansible/playbook.yml -e target=GROUP")
        + whence
        + f"""- name: {json.dumps(f"Knobs: {order.title}", ensure_ascii=False)}
  hosts: "{{{{ target | default('databases') }}}}"
  become: true
  vars:
    # a file that the server reads last
    knobs_file: {place.knobs_file}
    service_name: {place.service}
  tasks:
    - name: Write the knobs
      ansible.builtin.copy:
        dest: "{{{{ knobs_file }}}}"
        owner: {place.owner}
        group: {place.owner}
        mode: "0644"
        backup: true
        content: |
{content}      notify: {verb} the server
  handlers:
    - name: {verb} the server
      ansible.builtin.service:
        name: "{{{{ service_name }}}}"
        state: {state}
"""
    )
