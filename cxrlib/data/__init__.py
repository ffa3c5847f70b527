"""Collections of radiographs: their manifests, splits by patient, and any file as pixels."""
