"""The table of Kubernetes' own resources against what the API server's discovery says."""

from bed import Bed
from daypass.domain.resources import slip


def test_what_the_api_server_serves_is_known_by_every_name(control_plane: Bed) -> None:
    listed = control_plane.kubectl("api-resources", "--no-headers", "-o", "wide").stdout.splitlines()
    assert len(listed) > 40
    for line in listed:
        words = line.split()
        namespaced = next(at for at, word in enumerate(words) if word in {"true", "false"})
        plural, version, kind = words[0], words[namespaced - 1], words[namespaced + 1]
        short = words[1].split(",") if namespaced == 3 else []
        group = version.rpartition("/")[0]
        if group == "daypass.dev":
            continue
        assert slip(plural, (group,)) is None, line
        for word in {kind, kind.lower(), *short} - {plural}:
            found = slip(word, (group,))
            assert found is not None, (word, line)
            assert found.certain, (word, line)
            assert f"; did you mean {plural}?" in found.message, (word, line)
