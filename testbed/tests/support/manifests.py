"""Holds YAML files against the official schemas of Kubernetes, strictly: manifests.py FILE..."""

import sys

import kubernetes_validate
import yaml

# Old enough for every cluster that is still looked after.
VERSION = "1.32"

wrong = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for document in yaml.safe_load_all(file):
            try:
                kubernetes_validate.validate(document, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                wrong.append(f"{path}: {'.'.join(map(str, error.path))}: {error.message}")
            else:
                print(f"{document['kind']} {document['metadata']['name']}")
sys.exit("\n".join(wrong) if wrong else 0)
