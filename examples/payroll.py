"""A module that one machine has and others have not: what 07-listings calls."""

SALARIES = {('Mertz', 'David'): 2500, ('Hopper', 'Grace'): 4100}


def get_salary(last, first):
    return SALARIES[last, first]


def secret():
    return 'nobody may call this'
