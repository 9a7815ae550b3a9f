"""Greets in several languages."""
from greetings.words import word_for


def greet(name, language='en'):
    return '%s %s' % (word_for(language), name)
