"""A form refuses in the product's own words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.test import Client
from django.utils.datastructures import MultiValueDict

from postroom.mailboxes.models import Mailbox
from postroom.mailboxes.questions import Choice, Question
from postroom.records.models import Company
from postroom.web.forms import compose, entrance, mailboxes, records, settings
from postroom.web.forms.fields import WordedForm
from tests.cast import Cast
from tests.web.test_compose import typed

NOT_OURS = re.compile(r"This field|Ensure|Select a valid|Enter a|valid|please", re.IGNORECASE)
FORMS = [
    form
    for module in (compose, entrance, mailboxes, records, settings)
    for form in vars(module).values()
    if isinstance(form, type) and issubclass(form, forms.BaseForm) and form.__module__ == module.__name__
]


QUESTION = Question("mass_deletion", "Gone.", "", "", (Choice("remove", "Yes", ""), Choice("wait", "No", "")), {})


def made(form: type[WordedForm], member: Any, data: Any) -> WordedForm:
    if form in (records.ContactForm, records.DealForm, mailboxes.UsualMailboxForm):
        return form(member, data)
    if form is mailboxes.FolderForm:
        return form(Mailbox(workspace=member.workspace), data)
    return form(QUESTION, data) if form is mailboxes.AnswerForm else form(data)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("answer", ["", "nonsense", "-1", "99999999999", "a" * 30_000, "a\0b"])
def test_no_form_speaks_in_the_words_of_django(cast: Cast, form: type[WordedForm], answer: str) -> None:
    assert issubclass(form, WordedForm)
    Company.objects.create(workspace=cast.alice.workspace, name="Lagerhaus Nord")  # else nobody is asked for one
    names = made(form, cast.alice, MultiValueDict()).fields
    refused = made(form, cast.alice, MultiValueDict({name: [answer] for name in names}))
    words = [str(word) for errors in refused.errors.values() for word in errors]
    assert [word for word in words if NOT_OURS.search(word)] == []


def test_the_words_name_what_is_right(alice: Client, sales: Mailbox) -> None:
    assert b"Fill this in." in alice.post("/write/", typed(sales, to="")).content
    long = alice.post("/write/", typed(sales, subject="a" * 901))
    assert b"Use at most 900 characters; these are 901." in long.content
    assert b"Choose from what is offered." in alice.post("/deals/new/", {"name": "Bikes", "stage": "king"}).content


def test_a_refused_form_begins_anew_in_its_first_wrong_field(alice: Client, sales: Mailbox) -> None:
    refused = {"usage": "sales", "does": "both", "keep": "nonsense", "who": "everybody", "reply_to": "nonsense"}
    for response in (
        alice.post(f"/settings/mailboxes/{sales.pk}/settings/", refused),
        alice.post("/settings/approvals/policy/", {"personal": "nonsense"}),
    ):
        html = response.content.decode().partition("<main")[2].partition("</main>")[0]
        assert response.status_code == 422 and html.count(" autofocus") == 1
        begun, first = html.index(" autofocus"), html.index('aria-invalid="true"')
        assert html.rindex("<", 0, begun) == html.rindex("<", 0, first), "both are of the same element"
