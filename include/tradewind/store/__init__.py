"""A home in a bucket: what was published there, and the local folder in which stages work with it.

    <home>/manifests/<unit>/<number>.json   what a unit (a stage's folder, a version, `run.json`) holds, with hashes
    <home>/blobs/<ab>/<sha256>              its content, in parts that are named by what is in them
    <home>/moves/<dag_id>/<number>.json     the champion's moves, each made by whoever was first to create its number
    <home>/removed/<unit>/<number>.json     manifests that retention took away; their parts go a day later

Nothing is ever renamed or replaced there: parts first, the manifest last and only if nobody has created its number.
"""
