"""What an answer must look like: the endpoint table, row by row."""

from harness.endpoint import parse_json


def json_answer(response, status, body):
    assert response.status == status, response
    assert response.get("content-type") == "application/json", response
    assert response.get("cache-control") == "no-store", response
    assert parse_json(response.body) == body, response


def active(response, **members):
    json_answer(response, 200, {"active": True, **members})
    assert response.get("www-authenticate") is None


def is_active(response):
    """An active answer, whatever its members."""
    assert response.status == 200, response
    assert parse_json(response.body)["active"] is True, response


def inactive(response, status):
    json_answer(response, status, {"active": False})
    challenge = response.get("www-authenticate")
    if status == 401:
        assert challenge is not None and challenge.split(" ")[0] == "Bearer", response
        assert 'error="invalid_token"' in challenge, response
    else:
        assert challenge is None, response


def error(response, status, name):
    """An error of RFC 6749 section 5.2's form."""
    assert response.status == status, response
    assert response.get("content-type") == "application/json", response
    assert response.get("cache-control") == "no-store", response
    body = parse_json(response.body)
    assert body["error"] == name, response
    description = body.get("error_description")
    assert description is None or (isinstance(description, str) and description), response
    assert set(body) <= {"error", "error_description"}, response
    return body


def invalid_request(response, status=400):
    body = error(response, status, "invalid_request")
    assert "error_description" in body, response
    assert response.get("www-authenticate") is None, response


def invalid_client(response):
    error(response, 401, "invalid_client")
    challenge = response.get("www-authenticate")
    assert challenge is not None and challenge.split(" ")[0] == "Basic", response
    assert "active" not in response.body.decode("utf-8"), response


def method_not_allowed(response):
    invalid_request(response, 405)
    assert response.get("allow") == "POST", response


def unavailable(response):
    error(response, 503, "temporarily_unavailable")
    assert int(response.get("retry-after")) > 0, response


def throttled(response):
    """Too many failed authentications (RFC 6585 section 4)."""
    error(response, 429, "temporarily_unavailable")
    assert 0 < int(response.get("retry-after")) <= 61, response
    assert response.get("www-authenticate") is None, response


def all_served(callers):
    """Good callers (hostile.callers) whose every request was answered."""
    assert callers.failed() == 0 and callers.refused().total() == 0 and callers.answered() > 0, (callers.statuses(), callers.troubles()[:3])
